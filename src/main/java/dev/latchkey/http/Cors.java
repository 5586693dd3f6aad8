package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Cross-origin resource sharing (Fetch Standard §3.3): lets web pages of the listed origins read responses.
 *
 * <p>A page still needs a token, and browsers add no cookies or other credentials.
 *
 * @param origins as browsers send them; empty if CORS is off
 */
public record Cors(Set<String> origins) {
    // As browsers spell an origin: without the default port. Apps in a WebView have schemes such as capacitor.
    private static final Pattern ORIGIN = Pattern.compile("(?!ftp:|http:.*:80$|https:.*:443$)"
            + "[a-z][a-z0-9+.-]*://([a-z0-9_-]+(\\.[a-z0-9_-]+)*|\\[[0-9a-f:]+])(:[1-9][0-9]{0,4})?");

    private static final String ALLOW_ORIGIN = "Access-Control-Allow-Origin";
    private static final String ALLOWED_HEADERS = "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id,"
            + " traceparent, tracestate, baggage, X-Requested-With";
    private static final String EXPOSED_HEADERS = "Date, ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id";
    private static final String MAX_AGE_SECONDS = "600"; // a removed origin may send requests for at most this time

    /**
     * Reads a list of origins.
     *
     * @param list separated by commas; empty to turn CORS off
     * @throws IllegalArgumentException if an origin is not spelled as browsers spell it, because it would never match
     */
    public static Cors of(String list) {
        List<String> origins = list.isEmpty()
                ? List.of()
                : Stream.of(list.split(",", -1)).map(String::strip).toList();
        for (String origin : origins) {
            if (!ORIGIN.matcher(origin).matches()) {
                throw new IllegalArgumentException("must list origins such as https://app.example or"
                        + " http://localhost:3000, in lower case, international names as xn--, without user, default"
                        + " port, path, final slash or wildcard. Invalid: value " + (origins.indexOf(origin) + 1));
            }
        }
        return new Cors(Set.copyOf(origins));
    }

    /** Sets the headers of every response, also of errors. Of two {@code Origin} headers, none counts. */
    void setHeaders(HttpExchange exchange) {
        if (origins.isEmpty()) {
            return;
        }
        var headers = exchange.getResponseHeaders();
        headers.set("Vary", "Origin"); // a cache must not give one origin the response for another
        List<String> sent = exchange.getRequestHeaders().getOrDefault("Origin", List.of());
        if (sent.size() == 1 && origins.contains(sent.getFirst())) {
            headers.set(ALLOW_ORIGIN, sent.getFirst());
            headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
        }
    }

    /** Sets the headers of the response to OPTIONS, if the request is a preflight from a listed origin. */
    static void setPreflightHeaders(HttpExchange exchange, String methods) {
        var headers = exchange.getResponseHeaders();
        if (headers.containsKey(ALLOW_ORIGIN)
                && exchange.getRequestHeaders().containsKey("Access-Control-Request-Method")) {
            headers.set("Access-Control-Allow-Methods", methods);
            headers.set("Access-Control-Allow-Headers", ALLOWED_HEADERS);
            headers.set("Access-Control-Max-Age", MAX_AGE_SECONDS);
        }
    }
}
