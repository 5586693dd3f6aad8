package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a handler may know of a request. */
public final class Request {
    private final HttpExchange exchange;
    private final String parameter;
    private final int maxBodyBytes;
    private final int trustedProxyHops;

    Request(HttpExchange exchange, String parameter, int maxBodyBytes, int trustedProxyHops) {
        this.exchange = exchange;
        this.parameter = parameter;
        this.maxBodyBytes = maxBodyBytes;
        this.trustedProxyHops = trustedProxyHops;
    }

    /** What the answer and the log have as the request's id. */
    public String id() {
        return exchange.getResponseHeaders().getFirst(ErrorFilter.REQUEST_ID);
    }

    public Client client() {
        return Client.of(exchange, trustedProxyHops);
    }

    /** The value of the path's placeholder; empty where the path has none. */
    public String parameter() {
        return parameter;
    }

    /** The query, percent-decoded; {@code +} is a space. */
    public Fields query() {
        var fields = new Fields("query");
        String query = exchange.getRequestURI().getRawQuery();
        for (String pair : query == null ? new String[0] : query.split("&")) {
            int equals = pair.indexOf('=');
            if (!pair.isEmpty()) {
                fields.add(
                        decode(equals < 0 ? pair : pair.substring(0, equals)),
                        equals < 0 ? "" : decode(pair.substring(equals + 1)));
            }
        }
        return fields;
    }

    /**
     * The body, a JSON object.
     *
     * @throws Problem 400 malformed, 413 longer than the limit, 415 not declared as plain JSON
     * @throws IOException where the connection broke
     */
    public Fields json() throws IOException {
        requireJson();
        return Json.fields(RequestBody.of(exchange).limitedTo(maxBodyBytes));
    }

    private void requireJson() {
        List<String> types = exchange.getRequestHeaders().getOrDefault("Content-Type", List.of());
        String type =
                types.size() == 1 ? types.getFirst().toLowerCase(Locale.ROOT).replace(" ", "") : "";
        boolean json = List.of(
                        "application/json", "application/json;charset=utf-8", "application/json;charset=\"utf-8\"")
                .contains(type);
        if (!json || exchange.getRequestHeaders().containsKey("Content-Encoding")) {
            throw new Problem(415, "Send the body as Content-Type: application/json, with no Content-Encoding.")
                    .with("Accept", "application/json");
        }
    }

    public boolean hasIfMatch() {
        return header("If-Match") != null;
    }

    /** Whether {@code If-Match} is absent or names {@code etag}, a strong one (RFC 9110 §13.1.1). */
    public boolean ifMatch(String etag) {
        String header = header("If-Match");
        return header == null || names(header, etag);
    }

    /** Whether {@code If-None-Match} names {@code etag}, weak or strong (RFC 9110 §13.1.2). */
    public boolean ifNoneMatch(String etag) {
        String header = header("If-None-Match");
        return header != null && names(header.replace("W/", ""), etag);
    }

    private static boolean names(String header, String etag) {
        return header.strip().equals("*")
                || Arrays.stream(header.split(",")).map(String::strip).anyMatch(etag::equals);
    }

    /** All lines of that name as one (RFC 9110 §5.3); null where there is none. */
    private @Nullable String header(String name) {
        List<String> lines = exchange.getRequestHeaders().get(name);
        return lines == null ? null : String.join(",", lines);
    }

    private static String decode(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }
}
