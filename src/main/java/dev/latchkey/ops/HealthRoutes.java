package dev.latchkey.ops;

import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import dev.latchkey.redis.Redis;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.RedisException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code /health/…}: live while the process answers at all; ready while Redis does too and the service is not about to stop,
 * else 503 with the reason: {@code redis} is {@code timeout}, {@code disconnected} or {@code error}, or {@code draining} is
 * true.
 */
public final class HealthRoutes {
    private static final long FRESH_NANOS = Duration.ofMillis(500).toNanos();
    private static final Response UP = Response.json(200, Map.of("status", "up"));

    private final Redis redis;
    private volatile boolean draining;
    private @Nullable Response checked;
    private long checkedAt;

    public HealthRoutes(Redis redis) {
        this.redis = redis;
    }

    public List<Route> routes() {
        return List.of(Route.open("GET", "/health/live", _ -> UP), Route.open("GET", "/health/ready", _ -> ready()));
    }

    /** From now on it is not ready. */
    public void drain() {
        draining = true;
    }

    private Response ready() {
        return draining ? down("draining", true) : redis();
    }

    // whatever the number of probes: Redis sees one PING in that time
    private synchronized Response redis() {
        Response answer = checked;
        if (answer == null || System.nanoTime() - checkedAt > FRESH_NANOS) {
            answer = ping();
            checked = answer;
            checkedAt = System.nanoTime();
        }
        return answer;
    }

    private Response ping() {
        try {
            redis.ping();
            return UP;
        } catch (RedisCommandTimeoutException _) {
            return down("redis", "timeout");
        } catch (RedisCommandExecutionException _) {
            return down("redis", "error");
        } catch (RedisException _) {
            return down("redis", "disconnected");
        }
    }

    private static Response down(String name, Object reason) {
        Map<String, Object> body = new LinkedHashMap<>(Map.of("status", "down"));
        body.put(name, reason);
        return Response.json(503, body).with("Retry-After", "1");
    }
}
