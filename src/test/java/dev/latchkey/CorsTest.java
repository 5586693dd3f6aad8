package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestClient.Answer;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What pages of other origins may do. {@code scripts/browser} tests the same with a browser. */
class CorsTest {
    private static final String ORIGIN = "https://app.example";
    private static final String[] CORS = {"CORS_ORIGINS", ORIGIN + ", http://localhost:3000"};

    @AutoClose
    private static EmbeddedRedis redis;

    @AutoClose
    private static TestApp app;

    private static String token;

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start(); // The rate limits of other tests do not apply.
        app = TestApp.startOn(redis.url(), CORS[0], CORS[1], "LOGIN_THROTTLE", "true");
        token = app.newToken();
    }

    private static Answer send(String method, String path, String body, String... headers) {
        String[] all = Stream.of(new String[] {"Origin", ORIGIN, "Authorization", "Bearer " + token}, headers)
                .flatMap(Stream::of)
                .toArray(String[]::new);
        return app.send(method, path, body, all);
    }

    private static Answer preflight(TestClient client, String path, String... headers) {
        String[] method = {"Access-Control-Request-Method", "POST"};
        return client.send(
                "OPTIONS",
                path,
                "",
                Stream.of(method, headers).flatMap(Stream::of).toArray(String[]::new));
    }

    private static void assertReadable(int status, Answer response) {
        assertEquals(status, response.status());
        assertEquals(
                Map.of(
                        "access-control-allow-origin",
                        ORIGIN,
                        "access-control-expose-headers",
                        "ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id",
                        "vary",
                        "Origin"),
                corsHeaders(response));
    }

    private static void assertNotReadable(int status, Answer response) {
        assertEquals(status, response.status());
        assertEquals(Map.of("vary", "Origin"), corsHeaders(response));
    }

    private static Map<String, String> corsHeaders(Answer response) {
        return response.headers().keySet().stream()
                .filter(name -> name.startsWith("access-control-") || name.equals("vary"))
                .collect(Collectors.toMap(name -> name, response::header));
    }

    @Test
    void a_listed_origin_can_read_every_response() throws Exception {
        assertReadable(200, send("GET", "/api/auth/me", ""));
        assertReadable(200, app.send("GET", "/health/live", "", "Origin", ORIGIN));
        assertReadable(200, send("HEAD", "/api/todos", ""));
        Answer created = send("POST", "/api/todos", "{\"name\":\"n\"}");
        assertReadable(201, created);
        String todo = created.todoPath();
        assertReadable(304, send("GET", todo, "", "If-None-Match", created.header("ETag")));
        assertReadable(412, send("PATCH", todo, "{\"name\":\"m\"}", "If-Match", "\"other\""));
        assertReadable(204, send("DELETE", todo, ""));
        assertReadable(204, send("OPTIONS", "/api/todos", ""));
        assertReadable(400, send("POST", "/api/todos", "{"));
        assertReadable(400, send("GET", "/api/todos?limit=x", ""));
        assertReadable(401, app.send("GET", "/api/auth/me", "", "Origin", ORIGIN));
        assertReadable(404, send("GET", "/nothing", ""));
        assertReadable(405, send("PUT", "/api/todos", ""));
        assertReadable(413, send("POST", "/api/todos", " ".repeat(20_000)));
        assertReadable(415, send("POST", "/api/todos", "{}", "Content-Type", "text/plain"));
        assertReadable(431, send("GET", "/api/auth/me", "", "X-Large", "x".repeat(40_000)));
        String name = TestApp.newName();
        for (int i = 0; i < 10; i++) {
            String wrong = TestApp.credentials(name, "a wrong password");
            assertReadable(401, app.send("POST", "/api/auth/login", wrong, "Origin", ORIGIN));
        }
        String correct = TestApp.credentials(name, TestApp.PASSWORD);
        assertReadable(429, app.send("POST", "/api/auth/login", correct, "Origin", ORIGIN));
        String damaged = TestApp.newName();
        app.redis().set("todos:" + damaged, "not a hash");
        String damagedToken = "Bearer " + app.foreignToken(damaged);
        assertReadable(500, app.send("GET", "/api/todos", "", "Origin", ORIGIN, "Authorization", damagedToken));
    }

    @Test
    void a_listed_origin_can_read_the_503_of_an_outage() throws Exception {
        var lost = EmbeddedRedis.start();
        try (var service = TestApp.startOn(lost.url(), CORS[0], CORS[1], "REDIS_TIMEOUT_MS", "500")) {
            String authorization = "Bearer " + service.foreignToken("alice");
            lost.close();
            assertReadable(
                    503, service.send("GET", "/api/auth/me", "", "Origin", ORIGIN, "Authorization", authorization));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "*",
                "",
                "http://app.example",
                "https://app.example:443",
                "https://app.example:8443",
                "https://app.example/",
                "https://app.example.",
                "https://APP.example",
                "HTTPS://app.example",
                "https://app.example.evil.example",
                "https://evil-app.example",
                "https://evil.app.example",
                "https://example",
                "https://app.example@evil.example",
                "https://app.example https://evil.example",
                "https://app.example, http://localhost:3000",
                "http://localhost",
                "http://localhost:30000"
            })
    void another_origin_can_read_no_response(String origin) {
        assertNotReadable(200, app.send("GET", "/health/live", "", "Origin", origin));
        assertNotReadable(401, app.send("GET", "/api/auth/me", "", "Origin", origin));
        assertNotReadable(404, app.send("GET", "/nothing", "", "Origin", origin));
        Answer options = preflight(app, "/api/todos", "Origin", origin);
        assertNotReadable(204, options);
        assertEquals("GET, HEAD, OPTIONS, POST", options.header("Allow"));
    }

    /** A browser sends one, so a proxy in front or a second client may have added the other. */
    @Test
    void two_origin_headers_count_as_none() {
        for (String second : List.of(ORIGIN, "https://evil.example")) {
            assertNotReadable(200, app.send("GET", "/health/live", "", "Origin", ORIGIN, "Origin", second));
            assertNotReadable(200, app.send("GET", "/health/live", "", "Origin", second, "Origin", ORIGIN));
            assertNotReadable(204, preflight(app, "/api/todos", "Origin", ORIGIN, "Origin", second));
        }
    }

    @Test
    void a_response_without_origin_tells_caches_that_it_depends_on_the_origin() {
        assertNotReadable(200, app.send("GET", "/health/live", ""));
        assertNotReadable(401, app.send("GET", "/api/auth/me", ""));
        assertNotReadable(204, app.send("OPTIONS", "/api/todos", ""));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/api/auth/login | OPTIONS, POST",
                "/api/auth/password | OPTIONS, PUT",
                "/api/todos | GET, HEAD, OPTIONS, POST",
                "/api/todos/x | DELETE, GET, HEAD, OPTIONS, PATCH",
                "/health/ready | GET, HEAD, OPTIONS",
            })
    void a_preflight_from_a_listed_origin_gets_the_methods_of_the_path(String path, String methods) {
        for (String origin : List.of(ORIGIN, "http://localhost:3000")) {
            Answer response = preflight(app, path, "Origin", origin, "Access-Control-Request-Headers", "x-other");
            assertEquals(204, response.status());
            assertEquals(methods, response.header("Allow"));
            assertEquals(origin, response.header("Access-Control-Allow-Origin"));
            assertEquals(methods, response.header("Access-Control-Allow-Methods"));
            assertEquals(
                    "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id",
                    response.header("Access-Control-Allow-Headers"));
            assertEquals("600", response.header("Access-Control-Max-Age"));
            assertEquals("", response.header("Access-Control-Allow-Credentials"));
        }
    }

    @Test
    void a_preflight_to_an_unknown_path_is_refused() {
        assertReadable(404, preflight(app, "/nothing", "Origin", ORIGIN));
    }

    /** Otherwise, a proxy would pass on every OPTIONS request, and applications may let clients override the method. */
    @ParameterizedTest
    @ValueSource(strings = {"/api/auth/verify", "/api/auth/verify/", "/api/auth/verify/api/todos"})
    void a_preflight_to_verify_is_a_token_check(String path) {
        assertReadable(401, preflight(app, path, "Origin", ORIGIN));
        String unknown = "Bearer " + app.unknownToken();
        assertReadable(401, preflight(app, path, "Origin", ORIGIN, "Authorization", unknown));
        assertReadable(200, preflight(app, path, "Origin", ORIGIN, "Authorization", "Bearer " + token));
    }

    @Test
    void without_configured_origins_no_response_differs() throws Exception {
        try (var off = TestApp.startOn(redis.url())) {
            for (Answer response : List.of(
                    off.send("GET", "/health/live", "", "Origin", ORIGIN),
                    off.send("GET", "/api/auth/me", "", "Origin", "null"),
                    preflight(off, "/api/todos", "Origin", ORIGIN),
                    preflight(off, "/api/auth/verify", "Origin", ""))) {
                assertEquals(Map.of(), corsHeaders(response));
            }
        }
    }
}
