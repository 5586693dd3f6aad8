package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import dev.latchkey.json.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A complete response, which is a value until it is sent. */
public final class Response {
    // The JDK's write buffer of a connection grows to twice the longest write, and never shrinks.
    private static final int SLICE_BYTES = 4096;

    public static final Response NO_CONTENT = empty(204, Map.of());

    final int status;
    final byte[] body;
    private final Map<String, String> headers;
    private final boolean isShared;

    private Response(int status, Map<String, String> headers, byte[] body, boolean isShared) {
        this.status = status;
        this.headers = headers;
        this.body = body;
        this.isShared = isShared;
    }

    public static Response json(int status, Object body) {
        return new Response(status, Map.of("Content-Type", "application/json"), Json.bytes(body), false);
    }

    /** Returns a 200 whose body is kept anyway, so that sending it to many clients takes no memory of large bodies. */
    public static Response shared(Map<String, String> headers, byte[] body) {
        return new Response(200, headers, body, true);
    }

    /** Returns a response without a body. */
    public static Response empty(int status, Map<String, String> headers) {
        return new Response(status, headers, new byte[0], false);
    }

    /** Returns a 304 for a GET whose {@code If-None-Match} matches {@code etag} (RFC 9110 §15.4.5). */
    public static Response notModified(String etag) {
        return empty(304, Map.of("ETag", etag));
    }

    /** Returns this response with a header, which replaces an earlier one of that name. */
    public Response withHeader(String header, String value) {
        var changed = new LinkedHashMap<>(headers);
        changed.put(header, value);
        return new Response(status, changed, body, isShared);
    }

    /**
     * Sends this response, which {@link #end} must follow.
     *
     * @throws Problem 503 if too many large responses are being sent
     * @throws IOException if the connection is lost
     */
    void send(HttpExchange exchange) throws IOException {
        if (isShared || body.length <= SLICE_BYTES || isBodiless(exchange)) {
            write(exchange);
        } else if (ServerLimits.LARGE_BODIES.tryAcquire(body.length / ServerLimits.UNIT)) {
            try {
                write(exchange);
            } finally {
                ServerLimits.LARGE_BODIES.release(body.length / ServerLimits.UNIT);
            }
        } else {
            throw Problem.unavailable(ErrorCode.OVERLOADED, "Too many large responses are being sent.", 1);
        }
    }

    private boolean isBodiless(HttpExchange exchange) {
        return body.length == 0 || exchange.getRequestMethod().equals("HEAD");
    }

    private void write(HttpExchange exchange) throws IOException {
        var responseHeaders = exchange.getResponseHeaders();
        headers.forEach((name, value) -> responseHeaders.put(name, List.of(value)));
        boolean isRead = RequestBody.isRead(exchange);
        if (!isRead) {
            responseHeaders.set("Connection", "close");
        }
        if (isBodiless(exchange)) {
            // For HEAD, the JDK sends no length, and logs a warning if it is given one. For others, it sends a zero.
            if (exchange.getRequestMethod().equals("HEAD") && status != 204 && status != 304) {
                responseHeaders.set("Content-Length", Integer.toString(body.length));
            }
            if (isRead) {
                exchange.sendResponseHeaders(status, -1); // otherwise end() sends them, because this call also drains
            }
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        OutputStream out = exchange.getResponseBody();
        for (int start = 0; start < body.length; start += SLICE_BYTES) {
            out.write(body, start, Math.min(SLICE_BYTES, body.length - start));
        }
        out.flush();
    }

    /**
     * Lets the JDK's server drain the request body and read the next request of the connection. The client decides how
     * long draining takes, so it is not a part of the request's duration, and the request is no longer in flight.
     */
    void end(HttpExchange exchange) throws IOException {
        if (exchange.getResponseCode() == -1) {
            exchange.sendResponseHeaders(status, -1);
        }
        exchange.getResponseBody().close();
    }
}
