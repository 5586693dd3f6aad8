package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.StallingProxy;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.Topology;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A Redis that refuses writes, holds them back, or holds records that another program has written. */
class RedisTroubleTest {
    /** If Redis cannot save its data, it refuses writes and PING. */
    @Test
    void token_checks_and_commands_that_only_read_work_while_redis_cannot_save(@TempDir Path folder) throws Exception {
        Path data = Files.createDirectory(folder.resolve("data"));
        try (var redis = EmbeddedRedis.start(Map.of("dir", data.toString(), "save", "3600 1"))) {
            String token;
            try (var app = TestApp.startOn(redis.url())) {
                token = app.newToken("alice");
                Files.delete(data);
                redis.send("BGSAVE");
                Load.await(() -> redis.send("PING").contains("MISCONF"));
                expect(200, app.verify(token));
                expect(200, app.send("GET", "/health/ready", ""));
                expect(200, app.get("/api/auth/sessions", token));
                expect(503, app.login("alice", TestApp.PASSWORD));
                redis.send("CLIENT KILL TYPE normal");
                Load.await(() -> app.verify(token).status() == 200);
            }
            try (var app = TestApp.startOn(redis.url())) {
                Load.await(() -> app.responds("/health/ready", 200));
                expect(200, app.verify(token));
            }
            for (List<String> command : List.of(List.of("user", "list"), List.of("user", "sessions", "alice"))) {
                Process process = ServiceProcess.java(command, "REDIS_URL", redis.url());
                String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                assertEquals(0, process.waitFor(), output);
            }
        }
    }

    @Test
    void a_write_that_redis_holds_back_delays_no_token_check() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url(), "REDIS_TIMEOUT_MS", "300")) {
            String token = app.newToken("alice");
            redis.send("CLIENT PAUSE 600000 WRITE");
            Thread login = Thread.ofVirtual().start(() -> expect(503, app.login("alice", TestApp.PASSWORD)));
            while (login.isAlive()) {
                expect(200, app.verify(token));
                expect(200, app.send("GET", "/health/ready", ""));
            }
            redis.send("CLIENT UNPAUSE");
            Load.await(() -> app.login("alice", TestApp.PASSWORD).status() == 200);
        }
    }

    /** The JDK's server counts the time until a request body is read, even if the route needs none. */
    @Test
    void a_request_whose_body_is_not_read_gets_its_503_from_a_redis_that_hangs() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = ServiceProcess.start(redis.url())) {
            String token = app.newToken();
            redis.send("CLIENT PAUSE 600000 WRITE");
            expect(503, app.send("POST", "/api/auth/refresh", token, "{}"));
        }
    }

    /** What only deletes or shortens data must work, because that makes room. */
    @Test
    void accounts_can_be_disabled_and_deleted_while_redis_is_full() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url(), "LOGIN_THROTTLE", "true")) {
            String alice = app.newToken("alice");
            String bob = app.newToken("bob");
            String carol = app.newToken("carol");
            String dave = app.newToken("dave");
            String eve = app.newToken("eve");
            app.redis().configSet("maxmemory", "1");
            expect(503, app.login("alice", TestApp.PASSWORD));
            expect(401, app.deleteAccount(alice, "a wrong password"));
            expect(204, app.deleteAccount(alice, TestApp.PASSWORD));
            expect(204, app.logout(eve));
            var operator = new AccountAdministration(app.app().core().accounts());
            assertEquals(1, operator.disable("bob").endedSessionIds().size());
            assertEquals(1, operator.endSessions("carol").endedSessionIds().size());
            assertEquals(1, operator.delete("dave").endedSessionIds().size());
            for (String token : List.of(alice, bob, carol, dave, eve)) {
                expect(401, app.verify(token));
            }
            app.redis().configSet("maxmemory", "0");
            assertEquals(List.of(), app.liveKeys("alice"));
            assertEquals(List.of(), app.liveKeys("dave"));
            expect(401, app.login("bob", TestApp.PASSWORD));
            expect(200, app.login("carol", TestApp.PASSWORD));
        }
    }

    /** For example {@code RESTORE key 0}. A token without a TTL must not outlive the entry by which it can be ended. */
    @Test
    void tokens_that_were_copied_without_a_ttl_stay_listed_and_can_be_ended() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url())) {
            String copied = app.newToken("alice");
            app.redis().persist(app.key(copied));
            app.redis().persist("sessions:alice");
            String token = app.login("alice", TestApp.PASSWORD).field("token");
            assertEquals(-1, app.redis().pttl("sessions:alice"));
            expect(204, app.send("DELETE", "/api/auth/sessions", token, ""));
            expect(401, app.verify(copied));
            assertEquals(0, app.redis().exists("sessions:alice"));
        }
    }

    /** The clock was ahead at the login. */
    @Test
    void a_session_from_the_future_ends_at_its_maximum_age_from_now() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url(), "TOKEN_TTL", "3600", "SESSION_MAX_AGE", "7200")) {
            String token = app.newToken("alice");
            Instant future = Instant.now().plusSeconds(1_000_000);
            String entry =
                    "{\"id\":\"id\",\"createdDate\":\"%s\",\"expiresDate\":\"%s\",\"userAgent\":\"\",\"address\":\"\"}"
                            .formatted(future, future);
            app.redis().hset("sessions:alice", app.key(token).substring("tokens:".length()), entry);
            String next = app.refresh(token).field("token");
            String stored = app.redis().hvals("sessions:alice").getFirst();
            Instant created = Instant.parse(stored.replaceAll(".*\"createdDate\":\"([^\"]+)\".*", "$1"));
            assertFalse(created.isAfter(Instant.now()), stored);
            expect(200, app.verify(next));
        }
    }

    @Test
    void a_refresh_at_the_session_limit_does_not_read_the_index() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url(), "MAX_SESSIONS_PER_USER", "1")) {
            String token = app.newToken();
            Map<String, Long> commands = app.commandsOf(() -> expect(200, app.refresh(token)));
            assertFalse(commands.containsKey("hgetall"), commands::toString);
        }
    }

    /** A command with all of them would keep Redis busy, and take a slot of the queue for each node of a cluster. */
    @Test
    void a_list_reads_fifty_tokens_per_command() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url())) {
            String token = app.newToken("alice");
            String entry = app.redis().hvals("sessions:alice").getFirst();
            for (int i = 0; i < 119; i++) {
                app.redis().hset("sessions:alice", "unknown" + i, entry);
            }
            Map<String, Long> commands = app.commandsOf(() -> expect(200, app.get("/api/auth/sessions", token)));
            assertEquals(3, commands.get("mget"));
        }
    }

    /** Python and JavaScript write other numbers of decimals, and other offsets. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "2026-03-19T12:00:00Z",
                "2026-03-19T12:00:00.5Z",
                "2026-03-19T12:00:00.123456Z",
                "2026-03-19T12:00:00.123456789Z",
                "2026-03-19T14:00:00+02:00",
                "2026-03-19T12:00:00.123456+00:00"
            })
    void a_user_that_another_program_has_stored_with_any_iso_8601_instant_can_log_in(String created) throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url())) {
            app.register("alice");
            String record = app.redis()
                    .get("users:alice")
                    .replaceFirst("\"createdDate\":\"[^\"]+\"", "\"createdDate\":\"" + created + "\"");
            app.redis().set("users:alice", record);
            String token = expect(200, app.login("alice", TestApp.PASSWORD)).field("token");
            String shown = expect(200, app.get("/api/auth/me", token)).field("createdDate");
            assertTrue(shown.matches("2026-03-19T12:00:00\\.\\d{3}Z"), shown);
        }
    }

    @Test
    void forty_concurrent_changes_of_one_todo_all_succeed() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url())) {
            String token = app.newToken();
            String path = "/api/todos/" + app.createTodo(token, "n").field("id");
            var statuses = TestApp.concurrently(
                    40,
                    () -> app.send("PATCH", path, token, "{\"name\":\"" + TestClient.newName() + "\"}")
                            .status());
            assertTrue(statuses.stream().allMatch(status -> status == 200), statuses::toString);
        }
    }

    @Test
    void failures_before_the_first_connection_count_as_not_connected() throws Exception {
        int port = EmbeddedRedis.freePort();
        try (var app = TestApp.startOn(
                new Topology("redis://localhost:" + port, "redis://localhost:" + port),
                "METRICS_PORT",
                "0",
                "REDIS_TIMEOUT_MS",
                "100")) {
            expect(503, app.login("alice", TestApp.PASSWORD));
            List<String> failures = app.metricsClient()
                    .send("GET", "/metrics", "")
                    .text()
                    .lines()
                    .filter(line -> line.startsWith("latchkey_redis_failures_total") && !line.endsWith(" 0"))
                    .toList();
            assertEquals(List.of("latchkey_redis_failures_total{reason=\"not_connected\"} 1"), failures);
        }
    }

    /** Otherwise each login would wait for its own timeout, one after the other. */
    @Test
    void logins_that_wait_for_a_hash_thread_fail_together_after_the_first_timeout() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var proxy = new StallingProxy(redis.port());
                var app = TestApp.startOn(
                        new Topology(proxy.url(), redis.url()),
                        "METRICS_PORT",
                        "0",
                        "LOGIN_THROTTLE",
                        "true",
                        "REDIS_TIMEOUT_MS",
                        "500",
                        "PBKDF2_ITERATIONS",
                        "2000000");
                var metrics = app.metricsClient()) {
            expect(401, app.login(TestApp.newName(), TestApp.PASSWORD)); // from now on, everything is loaded
            int processors = Runtime.getRuntime().availableProcessors();
            var logins = new FutureTask<>(() -> TestApp.concurrently(
                    6 * processors,
                    () -> app.login(TestApp.newName(), TestApp.PASSWORD).status()));
            Thread.startVirtualThread(logins);
            Load.await(() -> metric(metrics, "latchkey_password_hashes_waiting") >= 4 * processors);
            proxy.swallow();
            // The hash of those that had a thread was computed, and did not match.
            assertTrue(Set.of(401, 503).containsAll(logins.get()), logins.get()::toString);
            double timeouts = metric(metrics, "latchkey_redis_failures_total{reason=\"timeout\"}");
            assertTrue(timeouts >= 1 && timeouts <= 2 * processors, "timeouts: " + timeouts);
        }
    }

    private static double metric(TestClient metrics, String name) {
        return metrics.send("GET", "/metrics", "")
                .text()
                .lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
                .sum();
    }
}
