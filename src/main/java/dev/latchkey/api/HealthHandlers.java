package dev.latchkey.api;

import dev.latchkey.http.Response;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.tokens.TokenKeys;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The routes {@code /health/…}. The process is live if it responds at all. It is ready if Redis replies and the
 * process is not about to stop. Otherwise the response is a 503 with the reason: {@code redis} is {@code timeout},
 * {@code disconnected} or {@code error}, or {@code draining} is true.
 */
public final class HealthHandlers {
    private static final Response UP = Response.json(200, Map.of("status", "up"));

    private final TokenKeys tokens;
    private volatile boolean draining;

    public HealthHandlers(TokenKeys tokens) {
        this.tokens = tokens;
    }

    /** Makes {@code /health/ready} respond with 503 from now on. */
    public void drain() {
        draining = true;
    }

    Response live() {
        return UP;
    }

    Response ready() {
        if (draining) {
            return down("draining", true);
        }
        try {
            tokens.probe();
            return UP;
        } catch (RedisUnavailableException e) {
            return switch (e.reason()) {
                case TIMEOUT -> down("redis", "timeout");
                case NOT_CONNECTED, DISCONNECTED -> down("redis", "disconnected");
                case ERROR -> down("redis", "error");
            };
        }
    }

    private static Response down(String name, Object reason) {
        Map<String, Object> body = new LinkedHashMap<>(Map.of("status", "down"));
        body.put(name, reason);
        return Response.json(503, body).withHeader("Retry-After", "1");
    }
}
