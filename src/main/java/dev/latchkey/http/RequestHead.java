package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A request line and headers. Checks what the JDK's server accepts although HTTP forbids it, and limits the size.
 *
 * <p>All values are gathered in one pass, because each lookup in the JDK's headers creates a string.
 *
 * @param bytes of the request line and all headers
 * @param names number of different header names
 */
record RequestHead(
        String protocol,
        int bytes,
        int lines,
        int names,
        List<String> requestIds,
        List<String> origins,
        List<String> hosts,
        List<String> connection,
        @Nullable String contentLength,
        boolean isChunked) {
    /** By default, nginx passes on 32 KiB, and adds some headers of its own. */
    static final int MAX_BYTES = 34 * 1024;

    static final int MAX_NAMES = 200;

    // Above its own limits, the JDK closes the connection without a response, and a proxy then considers this
    // instance to be down. These limits therefore allow whatever nginx passes on, even in short lines. The JDK counts
    // 32 extra bytes per line.
    static final int JDK_MAX_BYTES = 224 * 1024;
    static final int JDK_MAX_NAMES = 6000;
    private static final int JDK_BYTES_PER_LINE = 32;

    // uri-host [":" port] (RFC 9110 §7.2), with the characters of RFC 3986 §3.2.2
    private static final Pattern HOST = Pattern.compile("(\\[[0-9A-Fa-f:.]+]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?");
    private static final Pattern ABSOLUTE_TARGET = Pattern.compile("(?i)https?://[^/?#]+([/?].*)?");
    private static volatile String knownHost = ""; // avoids matching the same value again

    static RequestHead of(HttpExchange exchange) {
        String protocol = exchange.getProtocol();
        int bytes = exchange.getRequestMethod().length()
                + exchange.getRequestURI().toString().length()
                + protocol.length()
                + 4; // two spaces, CR, LF
        int lines = 1;
        List<String> requestIds = List.of();
        List<String> origins = List.of();
        List<String> hosts = List.of();
        List<String> connection = List.of();
        String contentLength = null;
        boolean chunked = false;
        var headers = exchange.getRequestHeaders();
        for (var header : headers.entrySet()) {
            List<String> values = header.getValue();
            switch (header.getKey()) { // in the JDK's spelling
                case "X-request-id" -> requestIds = values;
                case "Origin" -> origins = values;
                case "Host" -> hosts = values;
                case "Connection" -> connection = values;
                case "Content-length" -> contentLength = values.getFirst();
                case "Transfer-encoding" -> chunked = true;
                default -> {}
            }
            for (String value : values) {
                bytes += header.getKey().length() + value.length() + 4; // colon, space, CR, LF
                lines++;
            }
        }
        return new RequestHead(
                protocol, bytes, lines, headers.size(), requestIds, origins, hosts, connection, contentLength, chunked);
    }

    /**
     * Returns the size in the JDK's terms: the bytes, plus 32 per line.
     *
     * @throws Problem 431 if the request line and headers are too large
     */
    int size() {
        if (bytes > MAX_BYTES || names > MAX_NAMES) {
            String limits = MAX_BYTES + " bytes and " + MAX_NAMES + " header names.";
            throw refused(431, "The request line and headers are limited to " + limits);
        }
        return bytes + lines * JDK_BYTES_PER_LINE;
    }

    /** @throws Problem 400 if a header is not valid, 505 if the HTTP version is not supported */
    void check() {
        if (protocol.equals("HTTP/1.1")) {
            // With two hosts, a proxy in front may have used the other one for routing (RFC 9112 §3.2).
            if (hosts.size() != 1 || !isHost(hosts.getFirst())) {
                throw refused(400, "The request must have exactly one Host header with a host name or address.");
            }
        } else if (!protocol.equals("HTTP/1.0")) {
            throw refused(505, "This server supports HTTP/1.1 and HTTP/1.0.");
        }
        // Request smuggling: the JDK reads "-0" as 0, and the request body as the next request (RFC 9110 §8.6).
        if (contentLength != null && !contentLength.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw refused(400, "Content-Length must be a decimal number of bytes.");
        }
    }

    private static boolean isHost(String host) {
        if (host.equals(knownHost)) {
            return true;
        }
        boolean valid = HOST.matcher(host).matches();
        if (valid) {
            knownHost = host;
        }
        return valid;
    }

    // Closes the connection, because it is uncertain where the next request would start.
    private static Problem refused(int status, String detail) {
        return new Problem(status, detail).withHeader("Connection", "close");
    }

    /**
     * Reports whether the client wants the connection closed after the response (RFC 9112 §9.3). The JDK's server only
     * recognizes the option {@code close} if it is the single value of the first line.
     */
    boolean wantsClose() {
        boolean persistent = !protocol.equals("HTTP/1.0");
        if (connection.isEmpty()) {
            return !persistent;
        }
        List<String> options = connection.stream()
                .flatMap(line -> Stream.of(line.split(",")))
                .map(option -> option.strip().toLowerCase(Locale.ROOT))
                .toList();
        return options.contains("close") || !(persistent || options.contains("keep-alive"));
    }

    /**
     * Returns the raw path of the request target. Returns an empty text, which matches no route, if the target is
     * neither a path nor an absolute {@code http} or {@code https} URL (RFC 9112 §3.2).
     */
    static String path(HttpExchange exchange) {
        var uri = exchange.getRequestURI();
        String target = uri.toString();
        // java.net.URI parses "//x/api/auth/me" as host x with path /api/auth/me, and "///api/auth/me" as that path.
        boolean origin = target.startsWith("/") && !target.startsWith("//");
        boolean valid = uri.getRawFragment() == null
                && (origin || ABSOLUTE_TARGET.matcher(target).matches());
        return valid && uri.getRawPath() != null ? uri.getRawPath() : "";
    }
}
