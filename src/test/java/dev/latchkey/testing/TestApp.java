package dev.latchkey.testing;

import dev.latchkey.App;
import dev.latchkey.config.Config;
import dev.latchkey.logging.Logs;
import dev.latchkey.tokens.TokenFormat;
import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The service in the JVM of the tests, on a free port, with a client for it and a separate connection to its Redis. */
public final class TestApp extends TestClient {
    public static final int CHEAP_ITERATIONS = 1000;

    // Writes nothing, because it is not installed.
    private static final Logs LOGS = new Logs(FileDescriptor.out);

    private final App app;
    private final RedisAdmin redis;
    private final TokenFormat tokenFormat;

    private TestApp(App app, Config config, String adminUrl) {
        super(app.port());
        this.app = app;
        redis = new RedisAdmin(adminUrl, config.redis().cluster());
        tokenFormat = config.tokenFormat();
    }

    /**
     * Starts the service with the Redis of the tests.
     *
     * @param settings names and values of environment variables, alternating, that replace the defaults of the tests
     */
    public static TestApp start(String... settings) throws IOException {
        return startOn(TestRedis.url(), settings);
    }

    public static TestApp startOn(String redisUrl, String... settings) throws IOException {
        return startOn(new Topology(redisUrl, redisUrl), settings);
    }

    public static TestApp startOn(Topology redis, String... settings) throws IOException {
        return startOn(redis, Thread::startVirtualThread, settings);
    }

    /** @param cleanUps runs the clean-ups of the service */
    public static TestApp startOn(Topology redis, Executor cleanUps, String... settings) throws IOException {
        Config config = config(redis.url(), settings);
        return new TestApp(App.start(config, LOGS, cleanUps), config, redis.adminUrl());
    }

    /** Returns the configuration for tests, changed by the settings. */
    public static Config config(String redisUrl, String... settings) {
        // The timeout is long and logins are not throttled, because most tests are about neither.
        var environment = new HashMap<>(Map.of(
                "HOST", "127.0.0.1",
                "PORT", "0",
                "REDIS_URL", redisUrl,
                "LOGIN_THROTTLE", "false",
                "REDIS_TIMEOUT_MS", "10000",
                "INTROSPECTION_CLIENT_ID", CLIENT_ID,
                "INTROSPECTION_CLIENT_SECRET", CLIENT_SECRET));
        for (int i = 0; i < settings.length; i += 2) {
            environment.put(settings[i], settings[i + 1]);
        }
        try {
            Config config = Config.from(environment);
            return environment.containsKey("PBKDF2_ITERATIONS") ? config : withCheapHashes(config);
        } catch (Config.Invalid e) {
            throw new IllegalArgumentException(e);
        }
    }

    // The number of iterations is far below the minimum that Config accepts.
    private static Config withCheapHashes(Config config) {
        return new Config(
                config.http(),
                config.redis(),
                config.lifetimes(),
                config.tokenFormat(),
                config.registrationOpen(),
                CHEAP_ITERATIONS,
                config.passwordMinLength(),
                config.loginThrottle(),
                config.introspectionClient(),
                config.demoPage(),
                config.todoApi(),
                config.maxSessionsPerUser(),
                config.maxTodosPerUser(),
                config.logFormat(),
                config.logLevel(),
                config.shutdownGrace(),
                config.shutdownLameDuck());
    }

    /** Returns a client for the metrics port, which must be closed. */
    public TestClient metricsClient() {
        return TestClient.ofOtherServer(app.metricsPort());
    }

    /** Returns the service, for the commands of an operator. */
    public App app() {
        return app;
    }

    /** Returns the separate connection to Redis. */
    public RedisClusterCommands<String, String> redis() {
        return redis.commands();
    }

    /** Stores a valid token as another program would, without a session or an index entry, and returns it. */
    public String foreignToken(String username) {
        String token = switch (tokenFormat) {
            case PLAIN -> UUID.randomUUID().toString();
            case HASHED -> "lk_" + base64url(sha256(UUID.randomUUID().toString()));
        };
        redis().set(key(token), username, SetArgs.Builder.ex(60));
        return token;
    }

    /** Returns the Redis key of a token. */
    public String key(String token) {
        return "tokens:"
                + switch (tokenFormat) {
                    case PLAIN -> token;
                    case HASHED -> base64url(sha256(token));
                };
    }

    /** Replaces the hash of a user with the password of the tests by one with a single iteration. */
    public void weakenHash(String username) {
        String key = "users:" + username;
        String hash = "$pbkdf2-sha256$i=1$AAAAAAAAAAAAAAAAAAAAAA$4QsadoDkSUk04pO+C+yJFTZzaCuqp0UT+RTPL6vA4Ao";
        redis().set(key, redis().get(key).replaceAll("\\$pbkdf2[^\"]*", Matcher.quoteReplacement(hash)));
    }

    /** Returns a well-formed token that was never issued. */
    public String unknownToken() {
        String token = foreignToken("unknown");
        redis().del(key(token));
        return token;
    }

    /** Returns the keys of all valid tokens of a user, found by scanning Redis instead of the user's index. */
    public List<String> liveKeys(String username) {
        return redis().keys("tokens:*").stream()
                .filter(key -> username.equals(redis().get(key)))
                .toList();
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String base64url(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    /** Runs the action, and returns how often Redis has executed each command meanwhile, also in scripts. */
    public Map<String, Long> commandsOf(Runnable action) {
        redis().configResetstat();
        action.run();
        Map<String, Long> counts = new TreeMap<>();
        Pattern.compile("cmdstat_(\\S+):calls=(\\d+)")
                .matcher(redis().info("commandstats"))
                .results()
                .forEach(command -> counts.put(command.group(1), Long.parseLong(command.group(2))));
        counts.remove("config|resetstat");
        return counts;
    }

    /** Runs the task {@code times} times concurrently, and returns the results. */
    public static <T> List<T> concurrently(int times, Callable<T> task) throws Exception {
        var start = new CyclicBarrier(times);
        Callable<T> atOnce = () -> {
            start.await();
            return task.call();
        };
        List<T> results = new ArrayList<>();
        try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<T> result : executor.invokeAll(Collections.nCopies(times, atOnce))) {
                results.add(result.get());
            }
        }
        return results;
    }

    @Override
    public void close() {
        super.close();
        app.stop();
        redis.close();
    }
}
