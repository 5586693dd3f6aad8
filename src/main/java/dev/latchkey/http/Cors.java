package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.net.InetAddress;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Cross-origin resource sharing (Fetch Standard §3.3): lets web pages of the listed origins read responses.
 *
 * <p>A page still needs a token, and browsers add no cookies or other credentials.
 *
 * @param origins as browsers send them; empty if CORS is off
 */
public record Cors(Set<String> origins) {
    private static final int MAX_ORIGINS = 100;
    private static final int MAX_PORT = 65_535;
    private static final Pattern ORIGIN =
            Pattern.compile("(https?)://([a-z0-9_-]+(?:\\.[a-z0-9_-]+)*|\\[[0-9a-f:]+])(?::([1-9][0-9]{0,4}))?");
    // Browsers take a host for an IPv4 address if its last part is a number (URL Standard §3.5).
    private static final Pattern ADDRESS = Pattern.compile("\\[.*|(.*\\.)?([0-9]+|0x[0-9a-f]*)");

    private static final String ALLOW_ORIGIN = "Access-Control-Allow-Origin";
    private static final String ALLOWED_HEADERS = "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id";
    private static final String EXPOSED_HEADERS = "ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id";
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
        String invalid = IntStream.range(0, origins.size())
                .filter(i -> !isOrigin(origins.get(i)))
                .mapToObj(i -> "value " + (i + 1))
                .collect(Collectors.joining(", "));
        if (!invalid.isEmpty()) {
            throw new IllegalArgumentException("must list origins such as https://app.example or http://localhost:3000,"
                    + " in lower case, international names as xn--, without user, default port, path, final slash or"
                    + " wildcard. Invalid: " + invalid);
        }
        if (origins.size() > MAX_ORIGINS) {
            throw new IllegalArgumentException("must list at most " + MAX_ORIGINS + " origins, not " + origins.size());
        }
        return new Cors(Set.copyOf(origins));
    }

    private static boolean isOrigin(String text) {
        Matcher origin = ORIGIN.matcher(text);
        if (!origin.matches()) {
            return false;
        }
        int defaultPort = origin.group(1).equals("http") ? 80 : 443;
        int port = origin.group(3) == null ? 1 : Integer.parseInt(origin.group(3));
        return port <= MAX_PORT && port != defaultPort && isHost(origin.group(2));
    }

    private static boolean isHost(String host) {
        try {
            return !ADDRESS.matcher(host).matches()
                    || InetAddress.ofLiteral(host).getHostAddress().equals(host)
                    || host.startsWith("["); // the JDK prints IPv6 addresses in another form
        } catch (IllegalArgumentException _) {
            return false;
        }
    }

    /** Sets the headers of every response, also of errors. Of two {@code Origin} headers, none counts. */
    void setHeaders(HttpExchange exchange, RequestHead head) {
        if (origins.isEmpty()) {
            return;
        }
        var headers = exchange.getResponseHeaders();
        headers.set("Vary", "Origin"); // a cache must not give one origin the response for another
        if (head.origins().size() == 1 && origins.contains(head.origins().getFirst())) {
            headers.set(ALLOW_ORIGIN, head.origins().getFirst());
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
