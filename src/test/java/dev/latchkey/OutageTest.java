package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.protocol.CommandType;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class OutageTest {
    @Test
    void requests_that_need_redis_get_a_503_and_never_a_401_during_an_outage() throws Exception {
        int port = EmbeddedRedis.freePort();
        var redis = EmbeddedRedis.startOn(port);
        try (var app = TestApp.startOn(redis.url(), "REDIS_TIMEOUT_MS", "500")) {
            String name = TestApp.newName();
            String token = app.newToken(name);
            expect(200, app.get("/health/ready", token));
            redis.close();
            for (String path : List.of("/api/auth/me", "/api/auth/verify", "/api/todos", "/api/todos/x")) {
                assertUnavailable(app.get(path, token));
            }
            for (String path : List.of("/api/auth/refresh", "/api/auth/logout")) {
                assertUnavailable(app.send("POST", path, token, ""));
            }
            for (String path : List.of("/api/auth/introspect", "/api/auth/revoke")) {
                assertUnavailable(app.sendForm(path, "token=" + token));
            }
            assertUnavailable(app.login(name, TestApp.PASSWORD));
            assertUnavailable(app.register(TestApp.newName()));
            expect(200, app.get("/health/live", token));
            awaitReady(app, 503);
            assertEquals(
                    "{\"status\":\"down\",\"redis\":\"disconnected\"}",
                    app.get("/health/ready", token).text());
            // Responses that do not depend on Redis stay the same during the outage.
            expect(401, app.send("GET", "/api/auth/me", ""));
            expect(404, app.get("/nothing", token));

            try (var _ = EmbeddedRedis.startOn(port)) {
                awaitReady(app, 200);
                expect(401, app.verify(token)); // the new Redis does not contain the old token
                expect(200, app.verify(app.newToken()));
            }
        }
    }

    private static void awaitReady(TestClient app, int status) {
        Load.await(() -> app.responds("/health/ready", status));
    }

    private static void assertUnavailable(TestClient.Answer response) {
        assertEquals("1", expect(503, response).header("Retry-After"));
        assertEquals("token_store_unavailable", response.field("code"));
        for (String internalDetail : List.of("lettuce", "localhost", "connected", "Exception")) {
            assertFalse(response.text().contains(internalDetail), response.text());
        }
    }

    /** At its maxmemory limit with the policy noeviction, Redis refuses writes but still serves reads. */
    @Test
    void requests_that_write_get_a_503_if_redis_refuses_writes() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url())) {
            String token = app.newToken();
            app.redis().configSet("maxmemory", "1");
            assertUnavailable(app.register(TestApp.newName()));
            assertUnavailable(app.createTodo(token, "n"));
            assertUnavailable(app.refresh(token));
            assertEquals(200, app.verify(token).status(), "A failed refresh must leave the old token valid.");
        }
    }

    /** If the entry of a valid session were deleted, the session would escape a logout everywhere. */
    @Test
    void a_session_stays_in_the_index_if_redis_cannot_tell_whether_its_token_is_valid() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url())) {
            String name = TestApp.newName();
            String token = app.newToken(name);
            app.redis().aclSetuser("default", AclSetuserArgs.Builder.removeCommand(CommandType.MGET));
            assertUnavailable(app.get("/api/auth/sessions", token));
            assertEquals(1, app.redis().hlen("sessions:" + name));
        }
    }

    @Test
    void the_service_starts_without_redis_and_becomes_ready_when_redis_is_available() throws Exception {
        int port = EmbeddedRedis.freePort();
        try (var app = ServiceProcess.launch("redis://nobody:s3cret@localhost:" + port, "REDIS_TIMEOUT_MS", "1000")) {
            app.awaitReady(503);
            expect(200, app.send("GET", "/health/live", ""));
            for (int i = 0; i < 100; i++) {
                assertUnavailable(app.verify("d6ad7dae-c147-4513-a58b-2a2516cff3b7"));
                expect(503, app.send("GET", "/health/ready", ""));
            }
            try (var _ = EmbeddedRedis.startOn(port, Map.of("user nobody on >s3cret ~* +@all", " "))) {
                app.awaitReady(200);
                expect(201, app.register(TestApp.newName()));
                Load.await(() -> {
                    app.verify("d6ad7dae-c147-4513-a58b-2a2516cff3b7");
                    return app.printed("Redis is available again").size() == 1;
                });
                app.stop(); // This comes before Redis stops, because that would be another outage.
            }
            assertTrue(app.printed("Redis is available again").getFirst().matches(".* failedCommands=[1-9][0-9]*"));
            List<String> unavailable = app.printed("Redis is unavailable");
            assertEquals(1, unavailable.size(), unavailable::toString);
            String reason = "Connection refused: localhost/127.0.0.1:" + port
                    + ": start Redis, or check REDIS_URL, and what a cluster or sentinel announces";
            assertTrue(unavailable.getFirst().endsWith(" reason=\"" + reason + "\""), unavailable::toString);
            assertEquals(List.of(), app.printed("s3cret"));
            assertEquals(List.of(), app.printed("/health/"));
        }
    }

    @Test
    void a_slow_first_connection_attempt_does_not_delay_responses() throws Exception {
        var address = InetAddress.getLoopbackAddress();
        // The service waits for each sentinel in turn, because none of them replies.
        try (var first = new ServerSocket(0, 1, address);
                var second = new ServerSocket(0, 1, address);
                var third = new ServerSocket(0, 1, address);
                var last = new ServerSocket(0, 1, address)) {
            String all = Stream.of(first, second, third, last)
                    .map(sentinel -> "localhost:" + sentinel.getLocalPort())
                    .collect(Collectors.joining(","));
            try (var app = TestApp.startOn("redis-sentinel://" + all + "#master", "REDIS_TIMEOUT_MS", "2000")) {
                assertUnavailable(app.verify(UUID.randomUUID().toString()));
                last.setSoTimeout(1);
                // The response has arrived before the last sentinel is tried.
                assertThrows(SocketTimeoutException.class, last::accept);
            }
        }
    }

    @Test
    void a_redis_that_may_lose_users_causes_warnings_at_startup() throws Exception {
        try (var redis = EmbeddedRedis.start(Map.of("maxmemory-policy", "allkeys-lru", "save", ""));
                var app = ServiceProcess.start(redis.url())) {
            app.stop();
            List<String> warnings = app.printed(" WARNING ");
            assertEquals(2, warnings.size(), warnings::toString);
            String eviction = "latchkey.redis Redis evicts users and tokens when its memory is full: set"
                    + " maxmemory-policy noeviction maxmemory-policy=allkeys-lru";
            assertTrue(warnings.getFirst().endsWith(eviction), warnings::toString);
            assertTrue(warnings.getLast().contains("writes nothing to disk"), warnings::toString);
        }
    }

    @Test
    void a_durable_redis_and_a_redis_that_forbids_config_cause_no_warnings() throws Exception {
        Map<String, String> durable = Map.of("appendonly", "yes");
        Map<String, String> restricted = Map.of("save", "", "user default on nopass +@all -config ~*", " ");
        for (var settings : List.of(durable, Map.of("save", "60 1"), restricted)) {
            try (var redis = EmbeddedRedis.start(settings);
                    var app = ServiceProcess.start(redis.url())) {
                assertEquals(List.of(), app.printed(" WARNING "));
                expect(201, app.register(TestApp.newName()));
            }
        }
    }
}
