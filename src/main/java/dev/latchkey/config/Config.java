package dev.latchkey.config;

import dev.latchkey.api.ClientCredentials;
import dev.latchkey.http.Cors;
import dev.latchkey.http.HttpSettings;
import dev.latchkey.logging.Logs;
import dev.latchkey.redis.RedisSettings;
import dev.latchkey.tokens.Lifetimes;
import dev.latchkey.tokens.TokenFormat;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The configuration, from environment variables. An empty variable counts as unset. */
public record Config(
        HttpSettings http,
        RedisSettings redis,
        Lifetimes lifetimes,
        TokenFormat tokenFormat,
        boolean registrationOpen,
        int pbkdf2Iterations,
        int passwordMinLength,
        boolean loginThrottle,
        @Nullable ClientCredentials introspectionClient,
        boolean demoPage,
        boolean todoApi,
        int maxSessionsPerUser,
        int maxTodosPerUser,
        Logs.Format logFormat,
        Level logLevel,
        Duration shutdownGrace,
        Duration shutdownLameDuck) {
    private static final String LOCAL_REDIS = "redis://localhost:6379";
    private static final List<Level> LOG_LEVELS =
            List.of(Level.INFO, Level.TRACE, Level.DEBUG, Level.WARNING, Level.ERROR);

    /** The configuration is not valid. The message has one line per error, and quotes no value that may be a secret. */
    public static final class Invalid extends Exception {
        private static final long serialVersionUID = 1;

        Invalid(List<String> errors) {
            super(String.join(System.lineSeparator(), errors));
        }
    }

    /** @throws Invalid with all errors */
    public static Config from(Map<String, String> environment) throws Invalid {
        var env = new Environment(environment);
        var config = new Config(
                http(env),
                redis(env),
                lifetimes(env),
                env.choice("TOKEN_STORAGE", List.of(TokenFormat.values())),
                env.choice("REGISTRATION", List.of("open", "closed")).equals("open"),
                env.number("PBKDF2_ITERATIONS", 600_000, 100_000, 10_000_000),
                env.number("PASSWORD_MIN_LENGTH", 8, 8, 128),
                env.choice("LOGIN_THROTTLE", List.of(true, false)),
                introspectionClient(env),
                env.choice("DEMO_PAGE", List.of(false, true)),
                env.choice("TODO_API", List.of(true, false)),
                env.number("MAX_SESSIONS_PER_USER", 50, 1, 1000),
                env.number("MAX_TODOS_PER_USER", 1000, 1, 10_000),
                env.choice("LOG_FORMAT", List.of(Logs.Format.values())),
                env.text("LOG_LEVEL", "").equalsIgnoreCase("warn")
                        ? Level.WARNING
                        : env.choice("LOG_LEVEL", LOG_LEVELS),
                Duration.ofSeconds(env.number("SHUTDOWN_GRACE_SECONDS", 20, 1, 3600)),
                Duration.ofSeconds(env.number("SHUTDOWN_LAME_DUCK_SECONDS", 0, 0, 3600)));
        if (config.shutdownLameDuck.compareTo(config.shutdownGrace) >= 0) {
            env.error("SHUTDOWN_LAME_DUCK_SECONDS must be less than SHUTDOWN_GRACE_SECONDS, which includes it");
        }
        check(env);
        return config;
    }

    private static Lifetimes lifetimes(Environment env) {
        int tokenTtl = env.number("TOKEN_TTL", 3600, 1, Integer.MAX_VALUE);
        int thirtyDays = 2_592_000; // NIST SP 800-63B-4 §2.1.3
        int maxAge = env.number("SESSION_MAX_AGE", Math.max(thirtyDays, tokenTtl), 1, Integer.MAX_VALUE);
        if (maxAge < tokenTtl) {
            env.error("SESSION_MAX_AGE must not be less than TOKEN_TTL");
        }
        return new Lifetimes(Duration.ofSeconds(tokenTtl), Duration.ofSeconds(maxAge));
    }

    private static HttpSettings http(Environment env) {
        InetSocketAddress address = address(env);
        return new HttpSettings(
                address,
                metricsAddress(env, address),
                env.number("MAX_BODY_BYTES", 16_384, 1_024, 1_048_576),
                env.number("TRUSTED_PROXY_HOPS", 0, 0, 10),
                env.parsed("CORS_ORIGINS", env.text("CORS_ORIGINS", ""), "", Cors::of),
                env.choice("ACCESS_LOG", List.of(true, false)));
    }

    /**
     * Returns the address to listen on, without checking other variables.
     *
     * @throws Invalid if it is not an address of this machine
     */
    public static InetSocketAddress address(Map<String, String> environment) throws Invalid {
        var env = new Environment(environment);
        InetSocketAddress address = address(env);
        check(env);
        return address;
    }

    private static void check(Environment env) throws Invalid {
        if (!env.errors().isEmpty()) {
            throw new Invalid(env.errors());
        }
    }

    private static InetSocketAddress address(Environment env) {
        String host = env.text("HOST", "0.0.0.0");
        int port = env.number("PORT", 8080, 0, 65_535);
        try (var socket = new ServerSocket()) {
            socket.bind(new InetSocketAddress(host, 0)); // any free port will do
        } catch (IOException _) {
            env.error("HOST must be an address or host name of this machine, such as 0.0.0.0, not '" + host + "'");
        }
        return new InetSocketAddress(host, port);
    }

    // Returns null if there is no metrics port.
    private static @Nullable InetSocketAddress metricsAddress(Environment env, InetSocketAddress address) {
        if (env.text("METRICS_PORT", "").isEmpty()) {
            return null;
        }
        int port = env.number("METRICS_PORT", 0, 0, 65_535);
        if (port == address.getPort() && port != 0) {
            env.error("METRICS_PORT must not be the same as PORT, " + port + ", because metrics are not public");
        }
        return new InetSocketAddress(address.getAddress(), port);
    }

    private static @Nullable ClientCredentials introspectionClient(Environment env) {
        String id = env.text("INTROSPECTION_CLIENT_ID", "");
        String secret = env.secret("INTROSPECTION_CLIENT_SECRET", "");
        if (id.isEmpty() && secret.isEmpty()) {
            return null;
        }
        // 32 hexadecimal digits have 128 bits.
        requirePrintable(env, "INTROSPECTION_CLIENT_SECRET", secret, "32", "INTROSPECTION_CLIENT_ID");
        requirePrintable(env, "INTROSPECTION_CLIENT_ID", id, "1", "INTROSPECTION_CLIENT_SECRET");
        return new ClientCredentials(id, secret);
    }

    private static void requirePrintable(Environment env, String name, String value, String min, String other) {
        if (!value.matches("[ -~]{" + min + ",256}")) {
            env.error(name + " must have " + min + "–256 printable ASCII characters if " + other + " is set");
        }
    }

    private static RedisSettings redis(Environment env) {
        String url = env.secret("REDIS_URL", LOCAL_REDIS);
        boolean cluster = env.choice("REDIS_CLUSTER", List.of(false, true));
        String sentinelPassword = env.secret("REDIS_SENTINEL_PASSWORD", "");
        // A request gets its 503 before the server's timeout for responses closes its connection.
        var timeout = Duration.ofMillis(env.number("REDIS_TIMEOUT_MS", 1000, 10, 10_000));
        return env.parsed(
                "REDIS_URL", url, LOCAL_REDIS, text -> new RedisSettings(text, cluster, sentinelPassword, timeout));
    }
}
