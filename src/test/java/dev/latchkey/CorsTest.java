package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestClient.Answer;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
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

    private static TestClient listed; // sends the listed origin
    private static TestClient caller; // sends a token too

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start(); // The rate limits of other tests do not apply.
        app = TestApp.startOn(redis.url(), CORS[0], CORS[1], "LOGIN_THROTTLE", "true");
        listed = app.with("Origin", ORIGIN);
        caller = listed.with("Authorization", "Bearer " + app.newToken());
    }

    private static Answer preflight(TestClient client, String path) {
        return client.with("Access-Control-Request-Method", "POST").send("OPTIONS", path, "");
    }

    private static void assertReadable(int status, Answer response) {
        Map<String, String> expected = Map.of(
                "access-control-allow-origin", ORIGIN,
                "access-control-expose-headers", "Date, ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id",
                "vary", "Origin");
        assertEquals(expected, corsHeaders(expect(status, response)));
    }

    private static void assertNotReadable(int status, Answer response) {
        assertEquals(Map.of("vary", "Origin"), corsHeaders(expect(status, response)));
    }

    private static Map<String, String> corsHeaders(Answer response) {
        return response.headers().keySet().stream()
                .filter(name -> name.startsWith("access-control-") || name.equals("vary"))
                .collect(Collectors.toMap(name -> name, response::header));
    }

    @Test
    void a_listed_origin_can_read_every_response() throws Exception {
        assertReadable(200, caller.send("GET", "/api/auth/me", ""));
        assertReadable(200, listed.send("GET", "/health/live", ""));
        assertReadable(200, caller.send("HEAD", "/api/todos", ""));
        Answer created = caller.send("POST", "/api/todos", "{\"name\":\"n\"}");
        assertReadable(201, created);
        String todo = created.todoPath();
        assertReadable(304, caller.send("GET", todo, "", "If-None-Match", created.header("ETag")));
        assertReadable(412, caller.send("PATCH", todo, "{\"name\":\"m\"}", "If-Match", "\"other\""));
        assertReadable(204, caller.send("DELETE", todo, ""));
        assertReadable(204, caller.send("OPTIONS", "/api/todos", ""));
        assertReadable(400, caller.send("POST", "/api/todos", "{"));
        assertReadable(400, caller.send("GET", "/api/todos?limit=x", ""));
        assertReadable(401, listed.send("GET", "/api/auth/me", ""));
        assertReadable(404, caller.send("GET", "/nothing", ""));
        assertReadable(405, caller.send("PUT", "/api/todos", ""));
        assertReadable(413, caller.send("POST", "/api/todos", " ".repeat(20_000)));
        assertReadable(415, caller.send("POST", "/api/todos", "{}", "Content-Type", "text/plain"));
        assertReadable(431, caller.send("GET", "/api/auth/me", "", "X-Large", "x".repeat(40_000)));
        String name = TestApp.newName();
        for (int i = 0; i < 10; i++) {
            assertReadable(401, listed.login(name, "a wrong password"));
        }
        assertReadable(429, listed.login(name, TestApp.PASSWORD));
        String damaged = TestApp.newName();
        app.redis().set("todos:" + damaged, "not a hash");
        assertReadable(500, listed.get("/api/todos", app.foreignToken(damaged)));
    }

    @Test
    void a_listed_origin_can_read_the_503_of_an_outage() throws Exception {
        var lost = EmbeddedRedis.start();
        try (var service = TestApp.startOn(lost.url(), CORS[0], CORS[1], "REDIS_TIMEOUT_MS", "500")) {
            String token = service.foreignToken("alice");
            lost.close();
            assertReadable(503, service.with("Origin", ORIGIN).get("/api/auth/me", token));
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
        TestClient other = app.with("Origin", origin);
        assertNotReadable(200, other.send("GET", "/health/live", ""));
        assertNotReadable(401, other.send("GET", "/api/auth/me", ""));
        assertNotReadable(404, other.send("GET", "/nothing", ""));
        Answer options = preflight(other, "/api/todos");
        assertNotReadable(204, options);
        assertEquals("GET, HEAD, OPTIONS, POST", options.header("Allow"));
    }

    /** A browser sends one, so a proxy in front or a second client may have added the other. */
    @Test
    void two_origin_headers_count_as_none() {
        for (String second : List.of(ORIGIN, "https://evil.example")) {
            assertNotReadable(200, listed.with("Origin", second).send("GET", "/health/live", ""));
            assertNotReadable(
                    200, app.with("Origin", second).with("Origin", ORIGIN).send("GET", "/health/live", ""));
            assertNotReadable(204, preflight(listed.with("Origin", second), "/api/todos"));
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
            TestClient client = app.with("Origin", origin).with("Access-Control-Request-Headers", "x-other");
            Answer response = expect(204, preflight(client, path));
            assertEquals(methods, response.header("Allow"));
            assertEquals(origin, response.header("Access-Control-Allow-Origin"));
            assertEquals(methods, response.header("Access-Control-Allow-Methods"));
            assertEquals(
                    "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id,"
                            + " traceparent, tracestate, baggage, X-Requested-With",
                    response.header("Access-Control-Allow-Headers"));
            assertEquals("600", response.header("Access-Control-Max-Age"));
            assertEquals("", response.header("Access-Control-Allow-Credentials"));
        }
    }

    @Test
    void a_preflight_to_an_unknown_path_is_refused() {
        assertReadable(404, preflight(listed, "/nothing"));
    }

    /** Otherwise, a proxy would pass on every OPTIONS request, and applications may let clients override the method. */
    @ParameterizedTest
    @ValueSource(strings = {"/api/auth/verify", "/api/auth/verify/", "/api/auth/verify/api/todos"})
    void a_preflight_to_verify_is_a_token_check(String path) {
        assertReadable(401, preflight(listed, path));
        assertReadable(401, preflight(listed.with("Authorization", "Bearer " + app.unknownToken()), path));
        assertReadable(200, preflight(caller, path));
    }

    @Test
    void without_configured_origins_no_response_differs() throws Exception {
        try (var off = TestApp.startOn(redis.url())) {
            for (Answer response : List.of(
                    off.with("Origin", ORIGIN).send("GET", "/health/live", ""),
                    off.with("Origin", "null").send("GET", "/api/auth/me", ""),
                    preflight(off.with("Origin", ORIGIN), "/api/todos"),
                    preflight(off.with("Origin", ""), "/api/auth/verify"))) {
                assertEquals(Map.of(), corsHeaders(response));
            }
        }
    }
}
