package dev.latchkey.redis;

import dev.latchkey.metrics.Histogram;
import dev.latchkey.metrics.Registry;
import dev.latchkey.redis.RedisUnavailableException.Reason;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;

/** What is measured about Redis. A command counts once, whether it succeeds or not. */
record RedisMetrics(Histogram commands, Map<Reason, LongAdder> failures) {
    RedisMetrics() {
        this(new Histogram(), new EnumMap<>(Reason.class));
        for (Reason reason : Reason.values()) {
            failures.put(reason, new LongAdder());
        }
    }

    void failed(Reason reason) {
        Objects.requireNonNull(failures.get(reason)).increment();
    }

    void register(Registry registry, BooleanSupplier connected) {
        registry.histogram(
                "latchkey_redis_command_duration_seconds",
                "Time of a Redis command, or of a batch of commands, including the wait for a connection.",
                commands);
        failures.forEach((reason, count) -> registry.counter(
                "latchkey_redis_failures_total",
                "Redis commands without a reply, or with an error as the reply.",
                count::sum,
                "reason",
                reason.name().toLowerCase(Locale.ROOT)));
        registry.gauge(
                "latchkey_redis_connected",
                "1 if there is a connection to Redis, otherwise 0.",
                () -> connected.getAsBoolean() ? 1 : 0);
    }
}
