package dev.latchkey.http;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What the JDK's server lets through although HTTP forbids it, and how large a request line and headers may be. */
final class RequestRules {
    /** Bytes of the request line and all headers. nginx passes on 32 KiB by default, and adds some of its own. */
    static final int MAX_HEADER_BYTES = 34 * 1024;

    static final int MAX_HEADER_NAMES = 200;

    // Beyond its own limits the JDK closes the connection without a response, which a proxy takes for a failed
    // instance. So these admit what nginx can pass on in short lines. The JDK counts 32 bytes more per line.
    static final int JDK_MAX_HEADER_BYTES = 384 * 1024;
    static final int JDK_MAX_HEADER_NAMES = 8192;
    static final int JDK_BYTES_PER_LINE = 32;

    // uri-host [":" port] (RFC 9110 §7.2), with the characters of RFC 3986 §3.2.2
    private static final Pattern HOST = Pattern.compile("(\\[[0-9A-Fa-f:.]+]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?");
    private static final Pattern ABSOLUTE_TARGET = Pattern.compile("(?i)https?://[^/?#]+([/?].*)?");

    private RequestRules() {}

    /**
     * Returns how large the request line and headers are: their bytes, and 32 per line.
     *
     * @throws Problem 431 if they are too large
     */
    static int headerSize(HttpExchange exchange) {
        Headers headers = exchange.getRequestHeaders();
        int bytes = exchange.getRequestMethod().length()
                + exchange.getRequestURI().toString().length()
                + exchange.getProtocol().length()
                + 4; // two spaces, CR, LF
        int lines = 1;
        for (var header : headers.entrySet()) {
            for (String value : header.getValue()) {
                bytes += header.getKey().length() + value.length() + 4; // colon, space, CR, LF
                lines++;
            }
        }
        if (bytes > MAX_HEADER_BYTES || headers.size() > MAX_HEADER_NAMES) {
            throw refused(
                    431,
                    "The request line and headers may have " + MAX_HEADER_BYTES + " bytes and " + MAX_HEADER_NAMES
                            + " header names.");
        }
        return bytes + lines * JDK_BYTES_PER_LINE;
    }

    /** @throws Problem 400 or 505 */
    static void check(HttpExchange exchange) {
        Headers headers = exchange.getRequestHeaders();
        checkHost(exchange.getProtocol(), headers.get("Host"));
        String length = headers.getFirst("Content-Length");
        // the JDK takes "-0" for 0, and the request body for the next request (RFC 9110 §8.6)
        if (length != null && !length.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw refused(400, "Content-Length must be a decimal number of bytes.");
        }
    }

    // of two hosts, a proxy in front may have routed by the other (RFC 9112 §3.2)
    private static void checkHost(String protocol, @Nullable List<String> hosts) {
        switch (protocol) {
            case "HTTP/1.1" -> {
                if (hosts == null
                        || hosts.size() != 1
                        || !HOST.matcher(hosts.getFirst()).matches()) {
                    throw refused(400, "The request must have one Host header, with a host name or address.");
                }
            }
            case "HTTP/1.0" -> {}
            default -> throw refused(505, "This server supports HTTP/1.1 and HTTP/1.0.");
        }
    }

    // where the next request starts is not certain
    private static Problem refused(int status, String detail) {
        return new Problem(status, detail).with("Connection", "close");
    }

    /**
     * Returns the raw path of the request target, or an empty path, which no route has, if the target is neither a path nor an
     * absolute {@code http} or {@code https} URL (RFC 9112 §3.2).
     */
    static String path(HttpExchange exchange) {
        var uri = exchange.getRequestURI();
        String target = uri.toString();
        // java.net.URI reads "//x/api/auth/me" as host x and path /api/auth/me, and "///api/auth/me" as that path
        boolean origin = target.startsWith("/") && !target.startsWith("//");
        boolean valid = uri.getRawFragment() == null
                && (origin || ABSOLUTE_TARGET.matcher(target).matches());
        return valid && uri.getRawPath() != null ? uri.getRawPath() : "";
    }

    /**
     * Reports whether the connection is to be closed after the response (RFC 9112 §9.3). The JDK's server recognizes the option
     * {@code close} only as the first line's only value.
     */
    static boolean wantsClose(HttpExchange exchange) {
        List<String> lines = exchange.getRequestHeaders().get("Connection");
        boolean persistent = !exchange.getProtocol().equals("HTTP/1.0");
        if (lines == null) {
            return !persistent;
        }
        List<String> options = lines.stream()
                .flatMap(line -> Stream.of(line.split(",")))
                .map(option -> option.strip().toLowerCase(Locale.ROOT))
                .toList();
        return options.contains("close") || !(persistent || options.contains("keep-alive"));
    }
}
