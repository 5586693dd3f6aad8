package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class OutageTest {
    @Test
    void without_redis_every_answer_that_needs_it_is_a_503_and_never_a_401() throws Exception {
        int port = EmbeddedRedis.freePort();
        var redis = EmbeddedRedis.startOn(port);
        try (var app = Fixture.startOn(redis.url())) {
            String name = Fixture.newName();
            String token = app.newToken(name);
            assertEquals(200, app.get("/health/ready", token).status());
            redis.close();
            for (String path : List.of("/api/auth/me", "/api/auth/verify", "/api/todos", "/api/todos/x")) {
                assertUnavailable(app.get(path, token));
            }
            for (String path : List.of("/api/auth/refresh", "/api/auth/logout")) {
                assertUnavailable(app.send("POST", path, token, ""));
            }
            assertUnavailable(app.login(name, Fixture.PASSWORD));
            assertUnavailable(app.register(Fixture.newName()));
            assertEquals(200, app.get("/health/live", token).status());
            awaitReady(app, 503);
            assertEquals(
                    "{\"status\":\"down\",\"redis\":\"disconnected\"}",
                    app.get("/health/ready", token).text());
            // what needs no Redis needs none now
            assertEquals(401, app.send("GET", "/api/auth/me", "").status());
            assertEquals(404, app.get("/nothing", token).status());

            try (var _ = EmbeddedRedis.startOn(port)) {
                awaitReady(app, 200);
                assertEquals(401, app.get("/api/auth/me", token).status(), "that Redis kept nothing");
                assertEquals(204, app.get("/api/auth/verify", app.newToken()).status());
            }
        }
    }

    private static void awaitReady(TestClient app, int status) {
        var deadline = Instant.now().plusSeconds(20);
        while (app.send("GET", "/health/ready", "").status() != status) {
            assertTrue(Instant.now().isBefore(deadline), "readiness does not become " + status);
        }
    }

    private static void assertUnavailable(TestClient.Answer answer) {
        assertEquals(503, answer.status());
        assertEquals("1", answer.header("Retry-After"));
        assertEquals("application/problem+json", answer.header("Content-Type"));
        for (String inner : List.of("lettuce", "localhost", "connected", "Exception")) {
            assertFalse(answer.text().contains(inner), answer.text());
        }
    }

    /** Under maxmemory with noeviction Redis refuses writes and still answers reads. */
    @Test
    void a_redis_that_refuses_writes_is_a_503_for_who_writes() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = Fixture.startOn(redis.url())) {
            String token = app.newToken();
            app.redis().configSet("maxmemory", "1");
            assertUnavailable(app.register(Fixture.newName()));
            assertUnavailable(app.send("POST", "/api/todos", token, "{\"name\":\"n\"}"));
            assertUnavailable(app.send("POST", "/api/auth/refresh", token, ""));
            assertEquals(204, app.get("/api/auth/verify", token).status(), "a refused refresh leaves the old token");
        }
    }
}
