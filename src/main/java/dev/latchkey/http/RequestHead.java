package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.net.InetAddress;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;

/**
 * The request line and headers of a request. Checks what the JDK's server accepts although HTTP forbids it, limits the
 * size, and reserves the memory that a large head takes.
 *
 * <p>All values are gathered in one pass, because each lookup in the JDK's headers creates a string.
 */
final class RequestHead implements AutoCloseable {
    private static final int JDK_BYTES_PER_LINE = 32; // the JDK counts these extra bytes
    private static final int MAX_CLOSING_MILLIS = 5000;

    // uri-host [":" port] (RFC 9110 §7.2), with the characters of RFC 3986 §3.2.2
    private static final Pattern HOST =
            Pattern.compile("(?:\\[[0-9A-Fa-f:.]++]|[A-Za-z0-9._~!$&'()*+,;=%-]*+)(?::[0-9]*+)?+");
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");
    private static final Pattern ABSOLUTE_TARGET = Pattern.compile("(?i)https?://[^/?#]+([/?].*)?");

    private static volatile String lastValidHost = "";

    private final HttpExchange exchange;
    private final String protocol;
    private int bytes; // of the request line and all headers
    private int lines = 1;
    private List<String> hosts = List.of();
    private List<String> requestIds = List.of();
    private List<String> forwardedFor = List.of();
    private String connection = "";
    private String contentLength = "";
    private boolean isChunked;
    private int reserved; // units of memory

    RequestHead(HttpExchange exchange) {
        this.exchange = exchange;
        protocol = exchange.getProtocol();
        String target = exchange.getRequestURI().toString();
        bytes = exchange.getRequestMethod().length() + target.length() + protocol.length() + 4; // two spaces, CR, LF
        for (var header : exchange.getRequestHeaders().entrySet()) {
            List<String> values = header.getValue();
            switch (header.getKey()) { // in the JDK's spelling
                case "Host" -> hosts = values;
                case "X-request-id" -> requestIds = values;
                case "X-forwarded-for" -> forwardedFor = values;
                case "Connection" -> connection = String.join(",", values).toLowerCase(Locale.ROOT);
                case "Content-length" -> contentLength = values.getFirst();
                case "Transfer-encoding" -> isChunked = true;
                default -> {}
            }
            for (String value : values) {
                bytes += header.getKey().length() + value.length() + 4; // colon, space, CR, LF
                lines++;
            }
        }
    }

    /**
     * Reserves the memory of the head, if it is large. The connection of such a request is closed after the response.
     *
     * @throws Problem 431 if the head is too large, 503 if too many large heads are in flight
     */
    void reserveMemory() {
        if (!isLarge()) {
            return;
        }
        exchange.getResponseHeaders().set("Connection", "close");
        if (bytes > ServerLimits.MAX_HEAD_BYTES
                || exchange.getRequestHeaders().size() > ServerLimits.MAX_HEADER_NAMES) {
            String limits =
                    ServerLimits.MAX_HEAD_BYTES + " bytes and " + ServerLimits.MAX_HEADER_NAMES + " header names.";
            throw new Problem(ErrorCode.HEADERS_TOO_LARGE, "The request line and headers are limited to " + limits);
        }
        int units = size() * ServerLimits.HEAP_PER_HEAD_BYTE / ServerLimits.UNIT;
        if (!ServerLimits.LARGE_HEADS.tryAcquire(units)) {
            throw Problem.unavailable(ErrorCode.OVERLOADED, "Too many requests with large headers are in flight.", 1);
        }
        reserved = units;
    }

    private boolean isLarge() {
        return size() > ServerLimits.SMALL_HEAD_BYTES;
    }

    private int size() {
        return bytes + lines * JDK_BYTES_PER_LINE;
    }

    /**
     * Waits until the connection is closed, if the head is large. The JDK's dispatcher keeps a request until it has
     * processed its end, which can be much later.
     */
    void awaitClosedConnection() {
        for (int i = 0; isLarge() && i < MAX_CLOSING_MILLIS && isOpen(); i++) {
            LockSupport.parkNanos(1_000_000);
        }
    }

    // The local address of a closed channel is the wildcard address.
    private boolean isOpen() {
        return !exchange.getLocalAddress().getAddress().isAnyLocalAddress();
    }

    /** Gives back the memory. */
    @Override
    public void close() {
        if (reserved > 0) { // even a release of 0 would write to memory that all threads share
            ServerLimits.LARGE_HEADS.release(reserved);
        }
    }

    /** @throws Problem 400 if a header is not valid, 505 if the HTTP version is not supported */
    void check() {
        if (protocol.equals("HTTP/1.1")) {
            // With two hosts, a proxy in front may have used the other one for routing (RFC 9112 §3.2).
            if (hosts.size() != 1 || !isValidHost(hosts.getFirst())) {
                throw refused(
                        ErrorCode.MALFORMED_REQUEST,
                        "The request must have exactly one Host header with a host name or address.");
            }
        } else if (!protocol.equals("HTTP/1.0")) {
            throw refused(ErrorCode.UNSUPPORTED_HTTP_VERSION, "This server supports HTTP/1.1 and HTTP/1.0.");
        }
        // Request smuggling: the JDK reads "-0" as 0, and the request body as the next request (RFC 9110 §8.6).
        if (!contentLength.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw refused(ErrorCode.MALFORMED_REQUEST, "Content-Length must be a decimal number of bytes.");
        }
    }

    // Most requests have the same host, and to match it each time would take 1.3 % of a token check.
    private static boolean isValidHost(String host) {
        if (!host.equals(lastValidHost)) {
            if (!HOST.matcher(host).matches()) {
                return false;
            }
            lastValidHost = host;
        }
        return true;
    }

    // Closes the connection, because it is uncertain where the next request would start.
    private static Problem refused(ErrorCode code, String detail) {
        return new Problem(code, detail).withHeader("Connection", "close");
    }

    /**
     * Reports whether the connection must be closed after the response.
     *
     * <p>The client may want that (RFC 9112 §9.3), which the JDK's server only recognizes if {@code close} is the single
     * value of the first line. Request smuggling: a chunk size that overflows an int ends the body early for the JDK's
     * parser, which would read the rest as the next request. No request may therefore follow a chunked one.
     */
    boolean closesConnection() {
        boolean staysOpen = !protocol.equals("HTTP/1.0") || connection.contains("keep-alive");
        return isChunked || !staysOpen || connection.contains("close");
    }

    /** Returns the client's request id if it is safe to repeat in headers and logs, otherwise a new one. */
    String requestId() {
        return requestIds.size() == 1 && ID.matcher(requestIds.getFirst()).matches()
                ? requestIds.getFirst()
                : HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    }

    /** Returns the address of the client, see {@link ClientAddress#of}. */
    InetAddress client(int trustedProxyHops) {
        return ClientAddress.of(exchange, forwardedFor, trustedProxyHops);
    }

    /** Replaces the request body, if there is one, by a stream that knows whether it was read completely. */
    void replaceBody() {
        if (isChunked || !contentLength.isEmpty()) {
            long length = isChunked ? Long.MAX_VALUE : Long.parseLong(contentLength);
            exchange.setStreams(new RequestBody(exchange.getRequestBody(), isChunked, length), null);
        }
    }

    /**
     * Returns the raw path of the request target. Returns an empty text, which matches no route, if the target is
     * neither a path nor an absolute {@code http} or {@code https} URL (RFC 9112 §3.2).
     */
    String path() {
        var uri = exchange.getRequestURI();
        String target = uri.toString();
        // java.net.URI parses "//x/api/auth/me" as host x with path /api/auth/me, and "///api/auth/me" as that path.
        boolean isOrigin = target.startsWith("/") && !target.startsWith("//");
        boolean isValid = uri.getRawFragment() == null
                && (isOrigin || ABSOLUTE_TARGET.matcher(target).matches());
        return isValid && uri.getRawPath() != null ? uri.getRawPath() : "";
    }
}
