package dev.latchkey;

import dev.latchkey.auth.TokenStorage;
import dev.latchkey.redis.Redis;
import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
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
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The service on a free port, a client for it, and a look into its Redis over a connection of its own. */
public final class Fixture implements AutoCloseable {
    public static final String PASSWORD = "correct horse battery";
    public static final int CHEAP_ITERATIONS = 1000;
    private static final JsonMapper JSON = new JsonMapper();

    private final App app;
    private final Redis redis;
    private final TokenStorage storage;
    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    /** An answer, its body read as JSON: null where there is none. */
    public record Answer(int status, Map<String, List<String>> headers, String text) {
        public JsonNode json() {
            return JSON.readTree(text);
        }

        public String header(String name) {
            return headers.entrySet().stream()
                    .filter(header -> header.getKey().equalsIgnoreCase(name))
                    .map(header -> String.join(", ", header.getValue()))
                    .findFirst()
                    .orElse("");
        }

        public String field(String name) {
            return json().path(name).asString("");
        }
    }

    private Fixture(Config config) throws IOException {
        app = App.start(config);
        redis = Redis.connect(config.redisUrl(), Duration.ofSeconds(10));
        storage = config.tokenStorage();
    }

    /** @param settings variable, value, … in place of the defaults */
    public static Fixture start(String... settings) throws IOException {
        return startOn(TestRedis.url(), settings);
    }

    public static Fixture startOn(String redisUrl, String... settings) throws IOException {
        return new Fixture(config(redisUrl, settings));
    }

    static Config config(String redisUrl, String... settings) {
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
                config.redisTimeout(),
                config.tokenTtl(),
                config.tokenStorage(),
                CHEAP_ITERATIONS,
                config.passwordMinLength(),
                config.loginThrottle(),
                config.trustedProxyHops(),
                config.maxBodyBytes(),
                config.maxSessionsPerUser(),
                config.maxTodosPerUser(),
                config.logFormat(),
                config.logLevel());
    }

    public int port() {
        return app.port();
    }

    public RedisClusterCommands<String, String> redis() {
        return redis.commands();
    }

    /** @param headers name, value, … */
    public Answer send(String method, String path, String body, String... headers) {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path))
                .timeout(Duration.ofSeconds(30))
                .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (!body.isEmpty() && !List.of(headers).contains("Content-Type")) {
            request.header("Content-Type", "application/json");
        }
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        try {
            HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
            return new Answer(response.statusCode(), response.headers().map(), response.body());
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(method + " " + path, e);
        }
    }

    public Answer get(String path, String token) {
        return send("GET", path, "", "Authorization", "Bearer " + token);
    }

    public Answer send(String method, String path, String token, String body) {
        return send(method, path, body, new String[] {"Authorization", "Bearer " + token});
    }

    /** A name that no other test has. */
    public static String newName() {
        return "u" + UUID.randomUUID().toString().substring(0, 13);
    }

    public static String credentials(String username, String password) {
        return JSON.writeValueAsString(Map.of("username", username, "password", password));
    }

    public Answer register(String username) {
        return send("POST", "/api/auth/register", credentials(username, PASSWORD));
    }

    public Answer login(String username, String password) {
        return send("POST", "/api/auth/login", credentials(username, password));
    }

    /** A live token of a new user. */
    public String newToken() {
        return newToken(newName());
    }

    public String newToken(String username) {
        register(username);
        return login(username, PASSWORD).field("token");
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
        client.close();
        app.close();
        redis.close();
    }
}
