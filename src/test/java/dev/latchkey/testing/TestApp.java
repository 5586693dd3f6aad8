package dev.latchkey.testing;

import dev.latchkey.App;
import dev.latchkey.Config;
import dev.latchkey.tokens.TokenFormat;
import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** The service on a free port, a client for it, and a look into its Redis over a connection of its own. */
public final class TestApp extends TestClient {
    public static final int CHEAP_ITERATIONS = 1000;

    private final App app;
    private final RedisAdmin redis;
    private final TokenFormat storage;

    private TestApp(App app, Config config, String adminUrl) {
        super(app.port());
        this.app = app;
        redis = new RedisAdmin(adminUrl, config.redisCluster());
        storage = config.tokenFormat();
    }

    /** @param settings variable, value, … in place of the defaults */
    public static TestApp start(String... settings) throws IOException {
        return startOn(TestRedis.url(), settings);
    }

    public static TestApp startOn(String redisUrl, String... settings) throws IOException {
        return startOn(new Topology(redisUrl, redisUrl), settings);
    }

    public static TestApp startOn(Topology redis, String... settings) throws IOException {
        Config config = config(redis.url(), settings);
        return new TestApp(App.start(config), config, redis.adminUrl());
    }

    public static Config config(String redisUrl, String... settings) {
        // a patient timeout, and no throttle: most tests are about neither
        var environment = new HashMap<>(Map.of(
                "HOST",
                "127.0.0.1",
                "PORT",
                "0",
                "REDIS_URL",
                redisUrl,
                "LOGIN_THROTTLE",
                "false",
                "REDIS_TIMEOUT_MS",
                "10000"));
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

    // far below what is allowed outside of tests
    private static Config withCheapHashes(Config config) {
        return new Config(
                config.host(),
                config.port(),
                config.redisUrl(),
                config.redisCluster(),
                config.redisTimeout(),
                config.tokenTtl(),
                config.tokenFormat(),
                CHEAP_ITERATIONS,
                config.passwordMinLength(),
                config.loginThrottle(),
                config.trustedProxyHops(),
                config.maxBodyBytes(),
                config.maxSessionsPerUser(),
                config.maxTodosPerUser(),
                config.maxTodoBytesPerUser(),
                config.logFormat(),
                config.logLevel(),
                config.shutdownGrace(),
                config.shutdownLameDuck());
    }

    public RedisClusterCommands<String, String> redis() {
        return redis.commands();
    }

    /** A live token as another program would write it. */
    public String foreignToken(String username) {
        String token = switch (storage) {
            case PLAIN -> UUID.randomUUID().toString();
            case HASHED -> base64url(sha256(UUID.randomUUID().toString()));
        };
        redis().set(key(token), username, SetArgs.Builder.ex(60));
        return token;
    }

    /** The key that a token is valid by. */
    public String key(String token) {
        return "tokens:"
                + switch (storage) {
                    case PLAIN -> token;
                    case HASHED -> base64url(sha256(token));
                };
    }

    /** A token that nobody has issued, of the right form. */
    public String unknownToken() {
        String token = foreignToken("nobody");
        redis().del(key(token));
        return token;
    }

    /** The keys of a user's live tokens, by what Redis holds. */
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

    /** Runs it {@code times} times, all at once. */
    public static <T> List<T> concurrently(int times, Callable<T> task) throws Exception {
        var start = new CyclicBarrier(times);
        try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<T>> running = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                running.add(executor.submit(() -> {
                    start.await();
                    return task.call();
                }));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> task1 : running) {
                results.add(task1.get());
            }
            return results;
        }
    }

    @Override
    public void close() {
        super.close();
        app.close();
        redis.close();
    }
}
