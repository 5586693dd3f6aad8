package dev.latchkey.ops;

import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import io.lettuce.core.RedisException;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.List;
import java.util.Map;

/** {@code /health/…}: live while the process answers at all, ready while Redis does too. */
public final class HealthRoutes {
    private static final Response UP = Response.json(200, Map.of("status", "up"));
    private static final Response DOWN =
            Response.json(503, Map.of("status", "down")).with("Retry-After", "1");

    private final RedisClusterCommands<String, String> redis;

    public HealthRoutes(RedisClusterCommands<String, String> redis) {
        this.redis = redis;
    }

    public List<Route> routes() {
        return List.of(Route.open("GET", "/health/live", _ -> UP), Route.open("GET", "/health/ready", _ -> ready()));
    }

    private Response ready() {
        try {
            redis.ping();
            return UP;
        } catch (RedisException _) {
            return DOWN;
        }
    }
}
