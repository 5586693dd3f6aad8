package dev.latchkey;

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
import java.time.Duration;
import java.util.ArrayList;
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
    private static final JsonMapper JSON = new JsonMapper();

    private final App app;
    private final Redis redis;
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

    private Fixture(App app, Redis redis) {
        this.app = app;
        this.redis = redis;
    }

    /** @param settings variable, value, … in place of the defaults */
    public static Fixture start(String... settings) throws IOException {
        return startOn(TestRedis.url(), settings);
    }

    public static Fixture startOn(String redisUrl, String... settings) throws IOException {
        return new Fixture(App.start(config(redisUrl, settings)), Redis.connect(redisUrl, Duration.ofSeconds(10)));
    }

    static Config config(String redisUrl, String... settings) {
        // the lowest cost that is allowed and a patient timeout: these tests are not about speed
        var environment = new HashMap<>(Map.of(
                "HOST",
                "127.0.0.1",
                "PORT",
                "0",
                "REDIS_URL",
                redisUrl,
                "PBKDF2_ITERATIONS",
                "100000",
                "REDIS_TIMEOUT_MS",
                "10000"));
        for (int i = 0; i < settings.length; i += 2) {
            environment.put(settings[i], settings[i + 1]);
        }
        try {
            return Config.from(environment);
        } catch (Config.Invalid e) {
            throw new IllegalArgumentException(e);
        }
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
        String token = UUID.randomUUID().toString();
        redis().set("tokens:" + token, username, SetArgs.Builder.ex(60));
        return token;
    }

    /** The live tokens of a user, by what Redis holds. */
    public List<String> liveTokens(String username) {
        return redis().keys("tokens:*").stream()
                .filter(key -> username.equals(redis().get(key)))
                .map(key -> key.substring("tokens:".length()))
                .toList();
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
