package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The page of {@code DEMO_PAGE=true} as HTTP sees it. {@code scripts/browser} uses it in a browser. */
class DemoPageTest {
    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

    @ParameterizedTest
    @ValueSource(strings = {"/", "/page.js", "/page.css"})
    void the_page_does_not_exist_unless_it_is_turned_on(String path) throws Exception {
        try (var app = TestApp.start()) {
            assertEquals(404, app.send("GET", path, "").status());
        }
    }

    @ParameterizedTest
    @CsvSource({"/, page.html, text/html", "/page.js, page.js, text/javascript", "/page.css, page.css, text/css"})
    void each_file_of_the_page_is_isolated_from_other_sites_and_asked_for_by_its_etag(
            String path, String file, String type) throws Exception {
        try (var app = TestApp.start("DEMO_PAGE", "true");
                var client = TestClient.ofOtherServer(app.port())) { // openapi.json does not describe the page
            var response = client.send("GET", path, "");
            assertEquals(200, response.status());
            assertEquals(Files.readString(source(file)), response.text());
            assertEquals(type + "; charset=utf-8", response.header("Content-Type"));
            assertEquals(POLICY, response.header("Content-Security-Policy"));
            assertEquals("no-referrer", response.header("Referrer-Policy"));
            assertEquals("same-origin", response.header("Cross-Origin-Opener-Policy"));
            assertEquals("nosniff", response.header("X-Content-Type-Options"));
            assertEquals("no-cache", response.header("Cache-Control"));
            assertEquals(405, client.send("POST", path, "").status());
        }
    }

    // Trusted Types, which also prevent this, do not exist in every browser.
    @Test
    void the_script_turns_no_text_into_html_or_code_and_stores_nothing() throws Exception {
        String script = Files.readString(source("page.js"));
        var forbidden = Pattern.compile(
                "innerHTML|outerHTML|insertAdjacent|document\\.write|eval|Function|srcdoc|localStorage|sessionStorage|cookie");
        assertFalse(forbidden.matcher(script).find());
    }

    private static Path source(String file) {
        return Path.of("src/main/resources/dev/latchkey/api", file);
    }
}
