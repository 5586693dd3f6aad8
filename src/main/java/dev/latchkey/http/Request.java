package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import dev.latchkey.tokens.ClientInfo;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A request as handlers see it. */
public final class Request {
    private static final List<String> JSON_TYPES =
            List.of("application/json", "application/json;charset=utf-8", "application/json;charset=\"utf-8\"");

    private final HttpExchange exchange;
    private final String pathParameter;
    private final HttpSettings settings;
    private @Nullable ClientInfo client;

    Request(HttpExchange exchange, String pathParameter, HttpSettings settings) {
        this.exchange = exchange;
        this.pathParameter = pathParameter;
        this.settings = settings;
    }

    /** Returns the request id, which is also in the response and in the logs. */
    public String id() {
        return exchange.getResponseHeaders().getFirst(RequestHandler.REQUEST_ID);
    }

    /** Returns the client that sent the request. */
    public ClientInfo client() {
        if (client == null) {
            List<String> userAgents = exchange.getRequestHeaders().getOrDefault("User-Agent", List.of(""));
            client = ClientInfo.of(ClientAddress.of(exchange, settings.trustedProxyHops()), userAgents.getFirst());
        }
        return client;
    }

    /** Returns the value of the path's placeholder, or an empty text if the path has none. */
    public String pathParameter() {
        return pathParameter;
    }

    /** Returns the query's fields, percent-decoded. A {@code +} is a space. */
    public RequestFields query() {
        var fields = new RequestFields("query");
        String query = exchange.getRequestURI().getRawQuery();
        for (String pair : query == null ? new String[0] : query.split("&")) {
            if (!pair.isEmpty()) {
                String[] parts = pair.split("=", 2);
                fields.add(decode(parts[0]), parts.length == 2 ? decode(parts[1]) : "");
            }
        }
        return fields;
    }

    /**
     * Reads the request body, a JSON object.
     *
     * @throws Problem 400 if it is malformed, 413 if it is too large, 415 if it is not declared as plain JSON
     * @throws IOException if the connection is lost
     */
    public RequestFields json() throws IOException {
        var headers = exchange.getRequestHeaders();
        List<String> types = headers.getOrDefault("Content-Type", List.of());
        boolean isJson = types.size() == 1
                && JSON_TYPES.contains(types.getFirst().toLowerCase(Locale.ROOT).replace(" ", ""));
        if (!isJson || headers.containsKey("Content-Encoding")) {
            throw new Problem(415, "Send the body with Content-Type: application/json and without Content-Encoding.")
                    .withHeader("Accept", "application/json");
        }
        return RequestFields.readJson(RequestBody.of(exchange).limitedTo(settings.maxBodyBytes()));
    }

    /** Reports whether the request has an {@code If-Match} header. */
    public boolean hasIfMatch() {
        return header("If-Match") != null;
    }

    /** Reports whether {@code If-Match} is absent or matches the strong {@code etag} (RFC 9110 §13.1.1). */
    public boolean ifMatch(String etag) {
        String header = header("If-Match");
        return header == null || contains(header, etag);
    }

    /** Reports whether {@code If-None-Match} matches {@code etag}, weak or strong (RFC 9110 §13.1.2). */
    public boolean ifNoneMatch(String etag) {
        String header = header("If-None-Match");
        return header != null && contains(header.replace("W/", ""), etag);
    }

    private static boolean contains(String header, String etag) {
        return header.strip().equals("*")
                || Arrays.stream(header.split(",")).map(String::strip).anyMatch(etag::equals);
    }

    // Several lines of one header are one list (RFC 9110 §5.3). Null if the header is absent.
    private @Nullable String header(String name) {
        List<String> lines = exchange.getRequestHeaders().get(name);
        return lines == null ? null : String.join(",", lines);
    }

    private static String decode(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }
}
