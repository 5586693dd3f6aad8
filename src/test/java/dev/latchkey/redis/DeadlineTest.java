package dev.latchkey.redis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.latchkey.overload.Deadline;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.StallingProxy;
import java.time.Duration;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

class DeadlineTest {
    private static RedisUnavailableException failure(Redis redis, Duration limit) throws Exception {
        var task = new FutureTask<>(() -> {
            Deadline.start(limit);
            return assertThrows(RedisUnavailableException.class, () -> redis.get("key"));
        });
        Thread.ofVirtual().start(task);
        return task.get();
    }

    /** Otherwise a request that has waited for the connection would wait as long again, and be cut off. */
    @Test
    void a_command_is_not_sent_if_the_deadline_has_passed_while_it_waited_for_the_connection() throws Exception {
        try (var server = EmbeddedRedis.start();
                var slow = new StallingProxy(server.port())) {
            slow.delay(200);
            var settings = new RedisSettings(slow.url(), false, "", Duration.ofSeconds(10));
            try (var redis = new Redis(settings)) {
                assertEquals(
                        RedisUnavailableException.Reason.TIMEOUT,
                        failure(redis, Duration.ofMillis(50)).reason());
                assertFalse(server.send("INFO commandstats").contains("cmdstat_get:"));
            }
        }
    }
}
