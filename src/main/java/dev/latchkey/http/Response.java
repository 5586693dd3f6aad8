package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** A complete answer: a value until it is sent. */
public final class Response {
    private static final byte[] EMPTY = {};
    private static final Response NO_CONTENT = new Response(204, Map.of(), EMPTY);

    private final int status;
    private final Map<String, String> headers;
    private final byte[] body;

    private Response(int status, Map<String, String> headers, byte[] body) {
        this.status = status;
        this.headers = headers;
        this.body = body;
    }

    public static Response json(int status, Object body) {
        return new Response(status, Map.of("Content-Type", "application/json"), Json.bytes(body));
    }

    public static Response noContent() {
        return NO_CONTENT;
    }

    /** 304, for a GET whose {@code If-None-Match} names the current {@code etag} (RFC 9110 §15.4.5). */
    public static Response notModified(String etag) {
        return new Response(304, Map.of("ETag", etag), EMPTY);
    }

    /** The same with the header set, in place of one of that name. */
    public Response with(String header, String value) {
        var changed = new LinkedHashMap<>(headers);
        changed.put(header, value);
        return new Response(status, changed, body);
    }

    int status() {
        return status;
    }

    byte[] body() {
        return body.clone();
    }

    void send(HttpExchange exchange) throws IOException {
        var responseHeaders = exchange.getResponseHeaders();
        headers.forEach(responseHeaders::set);
        boolean bodyAllowed = status != 204 && status != 304;
        if (bodyAllowed && exchange.getRequestMethod().equals("HEAD")) {
            // the JDK sends no length of its own for HEAD, and logs a warning where it is handed one
            responseHeaders.set("Content-Length", Integer.toString(body.length));
        }
        if (!bodyAllowed || exchange.getRequestMethod().equals("HEAD")) {
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        try (var out = exchange.getResponseBody()) {
            out.write(body);
        }
    }
}
