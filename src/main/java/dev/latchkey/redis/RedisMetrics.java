package dev.latchkey.redis;

import dev.latchkey.metrics.EnumCounter;
import dev.latchkey.metrics.Histogram;
import dev.latchkey.metrics.Registry;
import dev.latchkey.redis.RedisUnavailableException.Reason;
import java.util.function.BooleanSupplier;

/** What is measured about Redis. A command counts once, whether it succeeds or not. */
record RedisMetrics(Histogram commands, EnumCounter<Reason> failures) {
    RedisMetrics() {
        this(new Histogram(), new EnumCounter<>(Reason.class));
    }

    void register(Registry registry, BooleanSupplier connected) {
        registry.histogram(
                "latchkey_redis_command_duration_seconds",
                "Time of a Redis command, or of a batch of commands, including the wait for a connection.",
                commands);
        registry.counters(
                "latchkey_redis_failures_total",
                "Redis commands without a reply, or with an error as the reply.",
                "reason",
                failures);
        registry.gauge(
                "latchkey_redis_connected",
                "1 if there is a connection to Redis, otherwise 0.",
                () -> connected.getAsBoolean() ? 1 : 0);
    }
}
