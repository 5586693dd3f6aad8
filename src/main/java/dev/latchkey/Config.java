package dev.latchkey;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.TRACE;
import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.logging.Logs;
import dev.latchkey.redis.RedisSettings;
import dev.latchkey.tokens.TokenFormat;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The configuration, from environment variables. An empty variable counts as unset. */
public record Config(
        InetSocketAddress address,
        @Nullable InetSocketAddress metricsAddress,
        RedisSettings redis,
        Duration tokenTtl,
        TokenFormat tokenFormat,
        int pbkdf2Iterations,
        int passwordMinLength,
        boolean loginThrottle,
        int trustedProxyHops,
        int maxBodyBytes,
        int maxSessionsPerUser,
        int maxTodosPerUser,
        int maxTodoBytesPerUser,
        Logs.Format logFormat,
        System.Logger.Level logLevel,
        Duration shutdownGrace,
        Duration shutdownLameDuck) {
    /** The configuration is not valid. The message has one line per error, and quotes no value that may be a secret. */
    public static final class Invalid extends Exception {
        private static final long serialVersionUID = 1;

        Invalid(List<String> errors) {
            super(String.join(System.lineSeparator(), errors));
        }
    }

    /** @throws Invalid with all errors */
    public static Config from(Map<String, String> environment) throws Invalid {
        var reader = new Reader(environment, new ArrayList<>());
        InetSocketAddress address = reader.address();
        var config = new Config(
                address,
                reader.metricsAddress(address),
                reader.redis(),
                Duration.ofSeconds(reader.number("TOKEN_TTL", 3600, 1, Integer.MAX_VALUE)),
                reader.choice("TOKEN_STORAGE", List.of(TokenFormat.values())),
                reader.number("PBKDF2_ITERATIONS", 600_000, 100_000, 10_000_000),
                reader.number("PASSWORD_MIN_LENGTH", 8, 8, 128),
                reader.choice("LOGIN_THROTTLE", List.of(true, false)),
                reader.number("TRUSTED_PROXY_HOPS", 0, 0, 10),
                reader.number("MAX_BODY_BYTES", 16_384, 1_024, 1_048_576),
                reader.number("MAX_SESSIONS_PER_USER", 50, 1, 1000),
                reader.number("MAX_TODOS_PER_USER", 1000, 1, 100_000),
                reader.number("MAX_TODO_BYTES_PER_USER", 262_144, 4_096, 104_857_600),
                reader.choice("LOG_FORMAT", List.of(Logs.Format.values())),
                reader.choice("LOG_LEVEL", List.of(INFO, TRACE, DEBUG, WARNING, ERROR)),
                Duration.ofSeconds(reader.number("SHUTDOWN_GRACE_SECONDS", 20, 1, 3600)),
                Duration.ofSeconds(reader.number("SHUTDOWN_LAME_DUCK_SECONDS", 0, 0, 3600)));
        if (config.shutdownLameDuck.compareTo(config.shutdownGrace) >= 0) {
            reader.errors.add("SHUTDOWN_LAME_DUCK_SECONDS must be less than SHUTDOWN_GRACE_SECONDS, which includes it");
        }
        reader.throwIfInvalid();
        return config;
    }

    /**
     * Returns the address to listen on, without checking other variables.
     *
     * @throws Invalid if it is not an address of this machine
     */
    static InetSocketAddress address(Map<String, String> environment) throws Invalid {
        var reader = new Reader(environment, new ArrayList<>());
        InetSocketAddress address = reader.address();
        reader.throwIfInvalid();
        return address;
    }

    private record Reader(Map<String, String> environment, List<String> errors) {
        void throwIfInvalid() throws Invalid {
            if (!errors.isEmpty()) {
                throw new Invalid(errors);
            }
        }

        String text(String name, String defaultValue) {
            String value = environment.getOrDefault(name, "").strip();
            return value.isEmpty() ? defaultValue : value;
        }

        InetSocketAddress address() {
            String host = text("HOST", "0.0.0.0");
            int port = number("PORT", 8080, 0, 65_535);
            var address = new InetSocketAddress(host, port);
            if (!isOfThisMachine(address)) {
                errors.add("HOST must be an address or host name of this machine, such as 0.0.0.0, not '" + host + "'");
            }
            return address;
        }

        /** Returns null if there is no metrics port. */
        @Nullable
        InetSocketAddress metricsAddress(InetSocketAddress address) {
            if (text("METRICS_PORT", "").isEmpty()) {
                return null;
            }
            int port = number("METRICS_PORT", 0, 0, 65_535);
            if (port == address.getPort() && port != 0) {
                errors.add("METRICS_PORT must not be the same as PORT, " + port + ", because metrics are not public");
            }
            return new InetSocketAddress(address.getAddress(), port);
        }

        private static boolean isOfThisMachine(InetSocketAddress address) {
            if (address.isUnresolved()) {
                return false;
            }
            try (var _ = new ServerSocket(0, 1, address.getAddress())) { // any free port will do
                return true;
            } catch (IOException _) {
                return false;
            }
        }

        int number(String name, int defaultValue, int min, int max) {
            String text = text(name, Integer.toString(defaultValue));
            try {
                int number = Integer.parseInt(text);
                if (number >= min && number <= max) {
                    return number;
                }
            } catch (NumberFormatException _) {
                // reported below, like a number that is out of range
            }
            errors.add(name + " must be a whole number from " + min + " to " + max + ", not '" + text + "'");
            return defaultValue;
        }

        /** The first value is the default. */
        <T> T choice(String name, List<T> values) {
            String text = text(name, values.getFirst().toString());
            for (T value : values) {
                if (value.toString().equalsIgnoreCase(text)) {
                    return value;
                }
            }
            String allowed = values.stream()
                    .map(value -> value.toString().toLowerCase(Locale.ROOT))
                    .collect(Collectors.joining(", "));
            errors.add(name + " must be one of " + allowed + ", not '" + text + "'");
            return values.getFirst();
        }

        RedisSettings redis() {
            String url = text("REDIS_URL", "redis://localhost:6379");
            boolean cluster = choice("REDIS_CLUSTER", List.of(false, true));
            String sentinelPassword = text("REDIS_SENTINEL_PASSWORD", "");
            // A request gets its 503 before the server's timeout for responses closes its connection.
            var timeout = Duration.ofMillis(number("REDIS_TIMEOUT_MS", 1000, 10, 10_000));
            try {
                return new RedisSettings(url, cluster, sentinelPassword, timeout);
            } catch (IllegalArgumentException e) {
                errors.add("REDIS_URL " + e.getMessage());
                return new RedisSettings("redis://localhost", false, "", timeout);
            }
        }
    }
}
