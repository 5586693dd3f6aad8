package dev.latchkey.api;

import dev.latchkey.http.Request;
import dev.latchkey.http.Response;
import dev.latchkey.metrics.Registry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;

/** The route {@code /metrics}. Concurrent requests share a text, so that many of them need no more memory than one. */
public final class MetricsHandler {
    private static final long FRESH_NANOS = Duration.ofMillis(100).toNanos();

    private final Registry registry;
    private Response lastResponse = Response.NO_CONTENT;
    private long nextNanos = System.nanoTime();

    public MetricsHandler(Registry registry) {
        this.registry = registry;
    }

    synchronized Response metrics(Request request) {
        if (System.nanoTime() - nextNanos >= 0) {
            byte[] text = registry.text().getBytes(StandardCharsets.UTF_8);
            lastResponse = Response.shared(Map.of("Content-Type", Registry.MEDIA_TYPE), text);
            nextNanos = System.nanoTime() + FRESH_NANOS;
        }
        return lastResponse;
    }
}
