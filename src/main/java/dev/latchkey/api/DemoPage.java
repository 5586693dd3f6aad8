package dev.latchkey.api;

import dev.latchkey.http.Route;
import dev.latchkey.http.Route.Open;
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
        Map<String, String> headers = Map.of(
                "Content-Type",
                type + "; charset=utf-8",
                "Content-Security-Policy",
                POLICY,
                "Referrer-Policy",
                "no-referrer",
                "Cross-Origin-Opener-Policy",
                "same-origin");
        // A browser asks each time, and gets a 304.
        return new Open("GET", path, new StaticFile(file, "no-cache", headers)::get);
    }
}
