package dev.latchkey.redis;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.StallingProxy;
import io.lettuce.core.RedisException;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class ConnectorTest {
    private static Connector connector(String url) {
        return new Connector(new RedisSettings(url, false, "", Duration.ofSeconds(10)), _ -> {});
    }

    @Test
    void a_command_whose_reply_was_lost_is_not_sent_again() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var proxy = new StallingProxy(redis.port());
                var direct = connector(redis.url());
                var connector = connector(proxy.url())) {
            var admin = direct.connect();
            var commands = connector.connect();
            proxy.swallowAnswers();
            Thread cutting = Thread.ofVirtual().start(() -> {
                while (!"1".equals(admin.get("counter"))) {
                    Thread.onSpinWait();
                }
                assertDoesNotThrow(proxy::cut);
            });
            assertThrows(RedisException.class, () -> commands.incr("counter"));
            cutting.join();
            awaitReconnected(commands::ping);
            assertEquals("1", commands.get("counter"));
        }
    }

    private static void awaitReconnected(Runnable command) {
        var deadline = Instant.now().plusSeconds(20);
        while (true) {
            try {
                command.run();
                return;
            } catch (RedisException e) {
                if (Instant.now().isAfter(deadline)) {
                    throw e;
                }
            }
        }
    }
}
