package dev.latchkey.redis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Fault;
import dev.latchkey.testing.FaultProxy;
import dev.latchkey.testing.RedisCommand;
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
                var proxy = new FaultProxy(redis.port(), ConnectorTest::loseReplyToIncr);
                var connector = connector(proxy.url())) {
            var commands = connector.connect();
            assertThrows(RedisException.class, () -> commands.incr("counter"));
            awaitReconnected(commands::ping);
            assertEquals("1", commands.get("counter"));
        }
    }

    private static Fault loseReplyToIncr(RedisCommand command) {
        return command.name().equals("INCR") ? Fault.REPLY_LOST : Fault.NONE;
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
