package dev.latchkey;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.TRACE;
import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.api.ClientCredentials;
import dev.latchkey.http.Cors;
import dev.latchkey.logging.Logs;
import dev.latchkey.redis.RedisSettings;
import dev.latchkey.tokens.TokenFormat;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
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
        Duration sessionMaxAge,
        TokenFormat tokenFormat,
        boolean registrationOpen,
        int pbkdf2Iterations,
        int passwordMinLength,
        boolean loginThrottle,
        int trustedProxyHops,
        @Nullable ClientCredentials introspectionClient,
        int maxBodyBytes,
        Cors cors,
        int maxSessionsPerUser,
        int maxTodosPerUser,
        int maxTodoBytesPerUser,
        boolean accessLog,
        Logs.Format logFormat,
        System.Logger.Level logLevel,
        Duration shutdownGrace,
        Duration shutdownLameDuck) {
    private static final int MAX_SECRET_BYTES = 8192;

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
        return from(reader, address, reader.metricsAddress(address));
    }

    /**
     * Returns the configuration of a command, which does not listen: {@code HOST} and {@code PORT} do not matter.
     *
     * @throws Invalid with all errors
     */
    static Config forCommand(Map<String, String> environment) throws Invalid {
        return from(new Reader(environment, new ArrayList<>()), new InetSocketAddress(0), null);
    }

    private static Config from(Reader reader, InetSocketAddress address, @Nullable InetSocketAddress metricsAddress)
            throws Invalid {
        RedisSettings redis = reader.redis();
        int tokenTtl = reader.number("TOKEN_TTL", 3600, 1, Integer.MAX_VALUE);
        int thirtyDays = 2_592_000; // NIST SP 800-63B-4 §2.1.3
        var config = new Config(
                address,
                metricsAddress,
                redis,
                Duration.ofSeconds(tokenTtl),
                Duration.ofSeconds(
                        reader.number("SESSION_MAX_AGE", Math.max(thirtyDays, tokenTtl), 1, Integer.MAX_VALUE)),
                reader.choice("TOKEN_STORAGE", List.of(TokenFormat.values())),
                reader.choice("REGISTRATION", List.of("open", "closed")).equals("open"),
                reader.number("PBKDF2_ITERATIONS", 600_000, 100_000, 10_000_000),
                reader.number("PASSWORD_MIN_LENGTH", 8, 8, 128),
                reader.choice("LOGIN_THROTTLE", List.of(true, false)),
                reader.number("TRUSTED_PROXY_HOPS", 0, 0, 10),
                reader.introspectionClient(),
                reader.number("MAX_BODY_BYTES", 16_384, 1_024, 1_048_576),
                reader.cors(),
                reader.number("MAX_SESSIONS_PER_USER", 50, 1, 1000),
                reader.number("MAX_TODOS_PER_USER", 1000, 1, 100_000),
                reader.number("MAX_TODO_BYTES_PER_USER", 262_144, 4_096, 104_857_600),
                reader.choice("ACCESS_LOG", List.of(true, false)),
                reader.choice("LOG_FORMAT", List.of(Logs.Format.values())),
                reader.logLevel(),
                Duration.ofSeconds(reader.number("SHUTDOWN_GRACE_SECONDS", 20, 1, 3600)),
                Duration.ofSeconds(reader.number("SHUTDOWN_LAME_DUCK_SECONDS", 0, 0, 3600)));
        if (config.shutdownLameDuck.compareTo(config.shutdownGrace) >= 0) {
            reader.errors.add("SHUTDOWN_LAME_DUCK_SECONDS must be less than SHUTDOWN_GRACE_SECONDS, which includes it");
        }
        if (config.sessionMaxAge.compareTo(config.tokenTtl) < 0) {
            reader.errors.add("SESSION_MAX_AGE must not be less than TOKEN_TTL");
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

        /**
         * Returns the value of the variable, or the content of the file that {@code name_FILE} names. An error does
         * not quote the file's name, because an operator may have put the secret there.
         */
        String secret(String name, String defaultValue) {
            String file = text(name + "_FILE", "");
            String value = text(name, "");
            if (file.isEmpty()) {
                return value.isEmpty() ? defaultValue : value;
            }
            if (!value.isEmpty()) {
                errors.add(name + " and " + name + "_FILE must not both be set");
                return defaultValue;
            }
            String expected = name + "_FILE must name a file of 1 to " + MAX_SECRET_BYTES + " bytes in UTF-8";
            try (var in = Files.newInputStream(Path.of(file))) {
                byte[] bytes = in.readNBytes(MAX_SECRET_BYTES + 1);
                var decoder = StandardCharsets.UTF_8.newDecoder();
                String secret =
                        decoder.decode(ByteBuffer.wrap(bytes)).toString().strip();
                if (!secret.isEmpty() && bytes.length <= MAX_SECRET_BYTES) {
                    return secret;
                }
                errors.add(expected);
            } catch (IOException | InvalidPathException e) {
                errors.add(expected + " (" + e.getClass().getSimpleName() + ")");
            }
            return defaultValue;
        }

        System.Logger.Level logLevel() {
            return text("LOG_LEVEL", "").equalsIgnoreCase("warn")
                    ? WARNING
                    : choice("LOG_LEVEL", List.of(INFO, TRACE, DEBUG, WARNING, ERROR));
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

        Cors cors() {
            try {
                return Cors.of(text("CORS_ORIGINS", ""));
            } catch (IllegalArgumentException e) {
                errors.add("CORS_ORIGINS " + e.getMessage());
                return Cors.of("");
            }
        }

        @Nullable
        ClientCredentials introspectionClient() {
            String id = text("INTROSPECTION_CLIENT_ID", "");
            String secret = secret("INTROSPECTION_CLIENT_SECRET", "");
            if (id.isEmpty() && secret.isEmpty()) {
                return null;
            }
            // 32 hexadecimal digits have 128 bits.
            requirePrintable("INTROSPECTION_CLIENT_SECRET", secret, "32", "INTROSPECTION_CLIENT_ID");
            requirePrintable("INTROSPECTION_CLIENT_ID", id, "1", "INTROSPECTION_CLIENT_SECRET");
            return new ClientCredentials(id, secret);
        }

        private void requirePrintable(String name, String value, String min, String other) {
            if (!value.matches("[ -~]{" + min + ",256}")) {
                errors.add(name + " must have " + min + "–256 printable ASCII characters if " + other + " is set");
            }
        }

        RedisSettings redis() {
            String url = secret("REDIS_URL", "redis://localhost:6379");
            boolean cluster = choice("REDIS_CLUSTER", List.of(false, true));
            String sentinelPassword = secret("REDIS_SENTINEL_PASSWORD", "");
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
