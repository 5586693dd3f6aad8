package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import dev.latchkey.json.Json;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** A complete response, which is a value until it is sent. */
public final class Response {
    private static final byte[] EMPTY = {};
    // The JDK's write buffer of a connection grows to twice the longest write, and never shrinks.
    private static final int SLICE_BYTES = 4096;
    // A client that does not read its response keeps it in memory until the timeout for responses.
    private static final MemoryBudget LARGE_BODIES =
            new MemoryBudget(Runtime.getRuntime().maxMemory() / 4);

    public static final Response NO_CONTENT = empty(204, Map.of());

    private final int status;
    private final Map<String, String> headers;
    private final byte[] body;
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

    /**
     * Returns a 200 whose body is kept anyway, or sent to many clients, so that sending it takes no memory from the
     * budget of large bodies.
     */
    public static Response shared(Map<String, String> headers, byte[] body) {
        return new Response(200, headers, body, true);
    }

    /** Returns a response without a body. */
    public static Response empty(int status, Map<String, String> headers) {
        return new Response(status, headers, EMPTY, false);
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

    int status() {
        return status;
    }

    byte[] body() {
        return body.clone();
    }

    /**
     * Sends this response, or a 503 if too many large responses are being sent.
     *
     * @throws IOException if the connection is lost
     */
    void send(HttpExchange exchange) throws IOException {
        // The JDK takes a length of 0 for an unknown length.
        boolean noBody = body.length == 0 || exchange.getRequestMethod().equals("HEAD");
        if (noBody || isShared || body.length <= SLICE_BYTES) {
            send(exchange, noBody);
        } else if (LARGE_BODIES.tryAcquire(body.length)) {
            try {
                send(exchange, false);
            } finally {
                LARGE_BODIES.release(body.length);
            }
        } else {
            Problem refused = Problem.unavailable("Too many large responses are being sent.");
            refused.response().send(exchange);
        }
    }

    private void send(HttpExchange exchange, boolean noBody) throws IOException {
        var responseHeaders = exchange.getResponseHeaders();
        headers.forEach(responseHeaders::set);
        var request = RequestBody.of(exchange);
        boolean drains = !request.isComplete();
        if (drains) {
            responseHeaders.set("Connection", "close");
        }
        if (noBody) {
            if (status != 204 && status != 304) {
                // For HEAD, the JDK does not send a length, and logs a warning if it is given a length.
                responseHeaders.set("Content-Length", Integer.toString(body.length));
            }
            if (drains) {
                request.beforeDrain(status); // because the next call sends the response and drains
            }
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        try (var out = exchange.getResponseBody()) {
            for (int start = 0; start < body.length; start += SLICE_BYTES) {
                out.write(body, start, Math.min(SLICE_BYTES, body.length - start));
            }
        }
    }
}
