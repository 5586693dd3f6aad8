package dev.latchkey.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** An HTTP client for a service on this host, with shortcuts for common requests. */
public class TestClient implements AutoCloseable {
    public static final String PASSWORD = "correct horse battery";
    /** The credentials for introspection and revocation. Most characters of the secret must be form-encoded. */
    public static final String CLIENT_ID = "resource:server";

    public static final String CLIENT_SECRET = "s3cr:t %41+&=/?\"'~ abcdefghijklmnop";
    public static final String FORM = "application/x-www-form-urlencoded";
    private static final JsonMapper JSON = new JsonMapper();
    private static final List<Observer> OBSERVERS =
            ServiceLoader.load(Observer.class, TestClient.class.getClassLoader()).stream()
                    .map(ServiceLoader.Provider::get)
                    .toList();

    private final int port;
    private final List<Observer> observers;
    private final HttpClient client;
    private final String[] headers; // of every request: names and values, alternating

    /**
     * An HTTP response.
     *
     * @param text the response body
     */
    public record Answer(int status, Map<String, List<String>> headers, String text) {
        /** Returns the response body, parsed as JSON. */
        public JsonNode json() {
            return JSON.readTree(text);
        }

        /** Returns the values of a header, separated by commas, or an empty text if the header is absent. */
        public String header(String name) {
            return headers.entrySet().stream()
                    .filter(header -> header.getKey().equalsIgnoreCase(name))
                    .map(header -> String.join(", ", header.getValue()))
                    .findFirst()
                    .orElse("");
        }

        /** Returns a text field of the JSON object, or an empty text if the field is absent. */
        public String field(String name) {
            return json().path(name).asString("");
        }

        /** Returns the path of the todo that the request has created. */
        public String todoPath() {
            return URI.create("/api/todos").resolve(header("Location")).toString();
        }
    }

    /** Sees every response. Providers are listed in {@code META-INF/services}. The image build has none. */
    public interface Observer {
        /** @throws AssertionError if the response is wrong */
        void observe(String method, String path, Answer answer);
    }

    public TestClient(int port) {
        this(port, OBSERVERS);
    }

    private TestClient(int port, List<Observer> observers) {
        this(
                port,
                observers,
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build());
    }

    private TestClient(int port, List<Observer> observers, HttpClient client, String... headers) {
        this.port = port;
        this.observers = observers;
        this.client = client;
        this.headers = headers;
    }

    /** Returns a client without observers, for a server that sends headers and responses of its own. */
    public static TestClient ofOtherServer(int port) {
        return new TestClient(port, List.of());
    }

    /** Returns a client that also sends this header, on the connections of this client. */
    public TestClient with(String name, String value) {
        String[] all = Arrays.copyOf(headers, headers.length + 2);
        all[headers.length] = name;
        all[headers.length + 1] = value;
        return new TestClient(port, observers, client, all);
    }

    /** Returns a client at an address, if the service trusts one proxy. */
    public TestClient from(String address) {
        return with("X-Forwarded-For", address);
    }

    public int port() {
        return port;
    }

    /**
     * Sends a request and returns the response.
     *
     * @param body JSON, or empty to send no body
     * @param headers names and values, alternating
     */
    public Answer send(String method, String path, String body, String... headers) {
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path))
                .timeout(Duration.ofSeconds(30))
                .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        String[] all = Stream.of(this.headers, headers).flatMap(Stream::of).toArray(String[]::new);
        if (!body.isEmpty() && !List.of(all).contains("Content-Type")) {
            request.header("Content-Type", "application/json");
        }
        for (int i = 0; i < all.length; i += 2) {
            request.header(all[i], all[i + 1]);
        }
        try {
            HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
            var answer = new Answer(response.statusCode(), response.headers().map(), response.body());
            observers.forEach(observer -> observer.observe(method, path, answer));
            return answer;
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

    /**
     * Returns the response.
     *
     * @throws AssertionError if it has another status code
     */
    public static Answer expect(int status, Answer answer) {
        if (answer.status() != status) {
            throw new AssertionError("expected status code " + status + ", but got " + answer);
        }
        return answer;
    }

    /** Reports whether the path gets the status code. It does not if nothing listens yet, or the connection is closed. */
    public boolean responds(String path, int status) {
        try {
            return send("GET", path, "").status() == status;
        } catch (IllegalStateException _) {
            return false;
        }
    }

    /** Sends a form with the credentials of the client. */
    public Answer sendForm(String path, String form) {
        String basic = basic(CLIENT_ID, CLIENT_SECRET);
        return send("POST", path, form, "Content-Type", FORM, "Authorization", basic);
    }

    /** Returns the credentials of a client as an {@code Authorization} header (RFC 6749 §2.3.1). */
    public static String basic(String id, String secret) {
        String pair = URLEncoder.encode(id, UTF_8) + ":" + URLEncoder.encode(secret, UTF_8);
        return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(UTF_8));
    }

    /** Returns a username that no other test uses. */
    public static String newName() {
        return "u" + UUID.randomUUID().toString().substring(0, 13);
    }

    /** Returns an IPv4 address that probably no other test uses, so that tests do not share counters. */
    public static String newAddress() {
        var random = ThreadLocalRandom.current();
        return "10." + random.nextInt(256) + "." + random.nextInt(256) + "." + random.nextInt(256);
    }

    public static String credentials(String username, String password) {
        return JSON.writeValueAsString(Map.of("username", username, "password", password));
    }

    public Answer register(String username) {
        return register(username, PASSWORD);
    }

    public Answer register(String username, String password) {
        return send("POST", "/api/auth/register", credentials(username, password));
    }

    public Answer login(String username, String password) {
        return send("POST", "/api/auth/login", credentials(username, password));
    }

    public Answer verify(String token) {
        return get("/api/auth/verify", token);
    }

    public Answer refresh(String token) {
        return send("POST", "/api/auth/refresh", token, "");
    }

    public Answer logout(String token) {
        return send("POST", "/api/auth/logout", token, "");
    }

    public Answer changePassword(String token, String current, String next) {
        String body = JSON.writeValueAsString(Map.of("currentPassword", current, "newPassword", next));
        return send("PUT", "/api/auth/password", token, body);
    }

    public Answer deleteAccount(String token, String password) {
        return send("DELETE", "/api/auth/account", token, JSON.writeValueAsString(Map.of("password", password)));
    }

    public Answer createTodo(String token, String name) {
        return send("POST", "/api/todos", token, JSON.writeValueAsString(Map.of("name", name)));
    }

    /** Registers a new user and returns a valid token. */
    public String newToken() {
        return newToken(newName());
    }

    /** Registers a user, unless the username is taken, and returns a valid token. */
    public String newToken(String username) {
        register(username);
        return login(username, PASSWORD).field("token");
    }

    @Override
    public void close() {
        client.close();
    }
}
