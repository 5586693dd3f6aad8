package dev.latchkey;

import dev.latchkey.redis.Redis;
import io.lettuce.core.RedisException;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** {@link Main} for a machine without Redis: brings an embedded one where none answers. Used by {@code scripts/run}. */
public final class TestMain {
    private static final String LOCAL = "redis://localhost:6379";

    private TestMain() {}

    public static void main(String[] args) throws IOException {
        Map<String, String> environment = new HashMap<>(System.getenv());
        String source = "as REDIS_URL says";
        if (environment.getOrDefault("REDIS_URL", "").isBlank()) {
            boolean local = answers(LOCAL);
            environment.put("REDIS_URL", local ? LOCAL : EmbeddedRedis.start().url());
            source = local ? LOCAL : environment.get("REDIS_URL") + ", embedded: ITS DATA IS GONE WHEN IT STOPS";
        }
        App app = Main.start(environment);
        System.out.printf("""

                Latchkey is at http://localhost:%d (Ctrl-C stops it). Redis: %s. Try:

                curl -i -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct horse battery"}' http://localhost:%d/api/auth/register

                """, app.port(), source, app.port());
    }

    private static boolean answers(String url) {
        try (var redis = Redis.connect(url, false, Duration.ofSeconds(1))) {
            redis.ping();
            return true;
        } catch (RedisException _) {
            return false;
        }
    }
}
