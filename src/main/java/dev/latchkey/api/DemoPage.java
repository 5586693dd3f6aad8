package dev.latchkey.api;

import dev.latchkey.http.Route;
import dev.latchkey.http.Route.Open;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The page on which people can watch tokens being used, rotated and revoked. Set by {@code DEMO_PAGE}. */
final class DemoPage {
    // Cross-site scripting: no inline script, nothing from other sites, and no text that becomes HTML. Clickjacking: no
    // other page may frame it.
    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

    private DemoPage() {}

    static List<Route> routes() {
        return List.of(
                route("/", "page.html", "text/html"),
                route("/page.js", "page.js", "text/javascript"),
                route("/page.css", "page.css", "text/css"));
    }

    private static Route route(String path, String file, String type) {
        Map<String, String> headers = new HashMap<>();
        headers.put("Content-Type", type + "; charset=utf-8");
        headers.put("Cache-Control", "no-cache");
        headers.put("Content-Security-Policy", POLICY);
        headers.put("Referrer-Policy", "no-referrer");
        headers.put("Cross-Origin-Opener-Policy", "same-origin");
        return new Open("GET", path, StaticFile.handler(file, headers));
    }
}
