package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Tests what the process logs in both formats, and what it never logs. */
class LogTest {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String REDIS_PASSWORD = "redis-s3cret";
    private static final String NEW_PASSWORD = "a new and better one";
    private static final String WRONG_PASSWORD = "not the right one";
    private static final String QUOTED = "\"([^\"\\\\]|\\\\.)*\"";
    private static final String LINE =
            "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z (INFO|WARNING|ERROR) [\\w.]+ [ -~]+|  [ -~]+";

    private EmbeddedRedis redis;
    private RedisAdmin connection;
    private RedisClusterCommands<String, String> commands;
    private String url;

    @BeforeEach
    void startRedis() throws IOException {
        redis = EmbeddedRedis.start(Map.of("requirepass", REDIS_PASSWORD));
        url = redis.url().replace("redis://", "redis://:" + REDIS_PASSWORD + "@");
        connection = new RedisAdmin(url, false);
        commands = connection.commands();
    }

    @AfterEach
    void stopRedis() throws IOException {
        connection.close();
        redis.close();
    }

    /** Returns a client whose requests have the id. */
    private static TestClient client(TestClient app, String id) {
        return app.from("203.0.113.7").with("X-Request-Id", id);
    }

    private static void sendForm(TestClient client, String path, String token, String basic) {
        client.with("Authorization", basic).send("POST", path, "token=" + token, "Content-Type", TestClient.FORM);
    }

    /** Sends requests that cause every audit event, each with its own request id. Returns all secrets that occurred. */
    private static Set<String> causeAllEvents(TestClient app) {
        Set<String> secrets =
                new HashSet<>(Set.of(TestClient.PASSWORD, WRONG_PASSWORD, NEW_PASSWORD, REDIS_PASSWORD, "pbkdf2"));
        client(app, "r1").register("Alice");
        client(app, "r2").login("ALICE", WRONG_PASSWORD);
        List<String> tokens = new ArrayList<>();
        for (String id : List.of("r3", "r4", "r5", "r6")) {
            tokens.add(client(app, id).login("Alice", TestClient.PASSWORD).field("token"));
        }
        secrets.addAll(tokens);
        String refreshed = client(app, "r7").refresh(tokens.get(1)).field("token");
        String token = tokens.get(2);
        String id =
                app.get("/api/auth/sessions", token).json().at("/sessions/0/id").asString();
        expect(204, client(app, "r8").send("DELETE", "/api/auth/sessions/" + id, token, ""));
        expect(204, client(app, "r9").logout(refreshed));
        client(app, "r10").changePassword(token, WRONG_PASSWORD, NEW_PASSWORD);
        String last = client(app, "r11")
                .changePassword(token, TestClient.PASSWORD, NEW_PASSWORD)
                .field("token");
        client(app, "r12").get("/api/auth/me?access_token=" + last, last);
        String revoked = client(app, "r14").login("alice", NEW_PASSWORD).field("token");
        String secret = TestClient.CLIENT_SECRET;
        secrets.addAll(List.of(
                refreshed, last, revoked, secret, secret.replaceAll(".*[^a-z]", ""))); // the last part is never escaped
        sendForm(client(app, "r15"), "/api/auth/revoke", revoked, TestClient.basic(TestClient.CLIENT_ID, secret));
        sendForm(client(app, "r16"), "/api/auth/introspect", last, TestClient.basic(secret, TestClient.CLIENT_ID));
        expect(204, client(app, "r13").deleteAccount(last, NEW_PASSWORD));
        for (int i = 0; i < 12; i++) { // the last two are refused, which is one event
            client(app, "t" + i).login("bob", WRONG_PASSWORD);
        }
        secrets.remove("");
        return secrets;
    }

    private static final List<String> EVENTS = List.of(
            "registered alice r1",
            "login failed alice r2",
            "login succeeded alice r3 S",
            "login succeeded alice r4 S",
            "login succeeded alice r5 S",
            "login succeeded alice r6 S",
            "session revoked alice r6 S",
            "refreshed alice r7 S",
            "session revoked alice r8 S",
            "logged out alice r9 S",
            "wrong password alice r10 S",
            "password changed alice r11 S",
            "session revoked alice r11 S",
            "login succeeded alice r14 S",
            "token revoked alice r15 S",
            "client authentication failed  r16",
            "account deleted alice r13 S",
            "session revoked alice r13 S",
            "throttled bob t10");

    @ParameterizedTest
    @CsvSource({"plain,info", "hashed,trace"})
    void each_audit_event_is_one_line_and_no_line_contains_a_secret(String storage, String level) throws Exception {
        for (String format : List.of("text", "json")) {
            commands.flushall();
            List<String> lines;
            Set<String> secrets;
            String[] settings = {
                "TOKEN_STORAGE",
                storage,
                "LOG_LEVEL",
                level,
                "LOG_FORMAT",
                format,
                "TRUSTED_PROXY_HOPS",
                "1",
                "MAX_SESSIONS_PER_USER",
                "3",
                "INTROSPECTION_CLIENT_ID",
                TestClient.CLIENT_ID,
                "INTROSPECTION_CLIENT_SECRET",
                TestClient.CLIENT_SECRET,
            };
            try (var service = ServiceProcess.start(url, settings)) {
                secrets = causeAllEvents(service);
                commands.hset("throttle:client:203.0.113.7", "all", "100");
                sendForm(
                        client(service, "r17"),
                        "/api/auth/introspect",
                        "x",
                        "Basic beyond the limit, which is not logged");
                lines = service.stop();
            }
            for (String line : lines) {
                assertTrue(secrets.stream().noneMatch(line::contains), line);
            }
            List<String> events = lines.stream()
                    .filter(line -> line.contains("latchkey.audit"))
                    .map(format.equals("json") ? LogTest::jsonEvent : LogTest::textEvent)
                    .filter(event -> !event.startsWith("login failed bob"))
                    .toList();
            assertEquals(EVENTS, events);
        }
    }

    private static String jsonEvent(String line) {
        JsonNode event = JSON.readTree(line);
        List<String> names = new ArrayList<>(event.propertyNames());
        assertEquals(event.get("message").asString().equals("token revoked"), names.remove("client"));
        assertEquals(
                List.of("time", "level", "logger", "message", "username", "address", "session", "requestId"), names);
        assertEquals("203.0.113.7", event.get("address").asString());
        String session = event.get("session").asString();
        return event.get("message").asString() + " " + event.get("username").asString() + " "
                + event.get("requestId").asString() + (session.isEmpty() ? "" : " S");
    }

    private static String textEvent(String line) {
        return line.replaceFirst(
                        "^\\S+Z INFO latchkey\\.audit ([a-z ]+) username=(\\S+) address=203\\.0\\.113\\.7"
                                + " session=(?:(\"\")|[A-Za-z0-9_-]{22})(?: client=resource:server)? requestId=(\\S+)$",
                        "$1 $2 $4 $3S")
                .replace(" \"\"S", "")
                .replace("\"\"", "");
    }

    /** Sends line breaks and terminal control characters in every part of a request that the service reads. */
    @ParameterizedTest
    @ValueSource(strings = {"text", "json"})
    void client_input_cannot_inject_log_lines(String format) throws Exception {
        String forged = "2026-03-19T12:00:00.000Z INFO latchkey.audit login succeeded username=root";
        List<String> lines;
        try (var service = ServiceProcess.start(url, "LOG_FORMAT", format, "TRUSTED_PROXY_HOPS", "1")) {
            var raw = new RawClient(service.port());
            for (String c :
                    List.of("\r", "\n", "\u0000", "\u001b[2K", "\u0085", "\u0008", "\t", "\u009b", "\u00ad", " ")) {
                String injected = "x" + c + forged;
                for (String head : List.of(
                        "G" + injected + "T / HTTP/1.1",
                        "G\u00a0status=200\" / HTTP/1.1",
                        "GET /" + injected + " HTTP/1.1",
                        "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: " + injected,
                        "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: " + injected + "\r\nX-Forwarded-For: " + injected,
                        "GET /api/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + injected)) {
                    raw.exchange(head + "\r\nHost: x\r\n\r\n");
                }
                for (String part : List.of(c, "\u2028", "\u202e", "\u200b")) {
                    String name = "root" + part + forged;
                    service.login(name, WRONG_PASSWORD);
                    service.register(name, WRONG_PASSWORD);
                }
            }
            lines = service.stop();
        }
        assertTrue(lines.size() > 50, "the log has only " + lines.size() + " lines");
        for (String line : lines) {
            if (format.equals("json")) {
                assertTrue(JSON.readTree(line).isObject(), line);
                assertTrue(line.chars().allMatch(c -> c >= ' ' && c != 0x7f && c != 0x85 && c != 0x2028), line);
            } else {
                assertTrue(line.replaceAll(QUOTED, "Q").matches(LINE), line);
            }
            assertFalse(line.startsWith(forged), line);
            assertFalse(line.contains("username=root "), line);
        }
        assertTrue(
                lines.stream().noneMatch(line -> line.contains("root") && line.contains("latchkey.audit")),
                "an invalid username may be a password and must not be logged");
    }

    /** A single request must not add kilobytes to the log. */
    @ParameterizedTest
    @ValueSource(strings = {"text", "json"})
    void a_long_path_is_truncated_in_the_log(String format) throws Exception {
        List<String> lines;
        try (var service = ServiceProcess.start(url, "LOG_FORMAT", format)) {
            new RawClient(service.port()).exchange("GET /" + "x".repeat(16_000) + " HTTP/1.1\r\nHost: x\r\n\r\n");
            lines = service.stop();
        }
        List<String> paths = lines.stream().filter(line -> line.contains("/xx")).toList();
        assertEquals(1, paths.size(), paths::toString);
        assertTrue(paths.getFirst().matches(".*[^x]/x{255}\\.{3}[^x]*"), paths.getFirst());
    }

    @ParameterizedTest
    @ValueSource(strings = {"text", "json"})
    void an_unexpected_error_is_logged_with_its_stack_trace_and_the_request_id_of_the_response(String format)
            throws Exception {
        List<String> lines;
        try (var service = ServiceProcess.start(url, "LOG_FORMAT", format)) {
            commands.set("users:alice", "{\"passwordHash\":\"pbkdf2-secret\n2026 INFO forged\"");
            var response = expect(500, service.login("alice", WRONG_PASSWORD));
            assertFalse(response.text().matches("(?s).*(Exception|latchkey\\.).*"), response.text());
            assertTrue(response.text().contains(response.header("X-Request-Id")));
            lines = service.stop();
            int i = 0;
            while (!lines.get(i).contains("ERROR")) {
                i++;
            }
            assertTrue(lines.get(i).contains(response.header("X-Request-Id")), lines.get(i));
            if (format.equals("json")) {
                String trace = JSON.readTree(lines.get(i)).get("stackTrace").asString();
                assertTrue(trace.contains("IllegalStateException") && trace.contains("AuthHandlers"), trace);
            } else {
                assertTrue(lines.get(i + 1).startsWith("  java.lang.IllegalStateException"), lines.get(i + 1));
                assertTrue(lines.get(i + 2).startsWith("    at dev.latchkey."), lines.get(i + 2));
            }
        }
        assertTrue(lines.stream().noneMatch(line -> line.contains("pbkdf2-secret") || line.startsWith("2026 INFO")));
        for (String line : lines) {
            assertTrue(format.equals("json") ? JSON.readTree(line).isObject() : line.matches(LINE), line);
        }
    }

    /** Otherwise the logins of one client could fill the log. */
    @Test
    void the_rate_limit_bounds_the_warnings_about_an_unusable_hash_and_they_name_the_user() throws Exception {
        try (var service = ServiceProcess.start(url)) {
            service.register("alice");
            commands.set("users:alice", commands.get("users:alice").replaceFirst("\\$pbkdf2", "\\$argon2id"));
            for (int i = 0; i < 15; i++) {
                expect(i < 10 ? 401 : 429, service.login("Alice", WRONG_PASSWORD));
            }
            List<String> warnings = service.stop().stream()
                    .filter(line -> line.contains(" is not usable: "))
                    .toList();
            assertEquals(10, warnings.size(), warnings::toString);
            assertTrue(warnings.getFirst().endsWith(" username=alice"), warnings::toString);
        }
    }

    /** Otherwise any client could wake an operator. */
    @Test
    void a_malformed_request_is_logged_below_the_level_of_a_warning() throws Exception {
        int metricsPort = EmbeddedRedis.freePort();
        try (var service = ServiceProcess.start(url, "METRICS_PORT", Integer.toString(metricsPort))) {
            List<String> requests = new ArrayList<>();
            for (String path :
                    List.of("GET /health/live", "GET /metrics", "POST /api/auth/login", "GET /api/auth/me")) {
                for (String size : List.of("ffffffff", "7fffffff", "fffffffffffffffff", "-1", "zz", "")) {
                    String chunked =
                            RawClient.head(path, "Content-Type: application/json", "Transfer-Encoding: chunked");
                    requests.add(chunked + size + "\r\nabc");
                }
                for (String header : List.of(
                        "Content-Length: 9", "Content-Length: x", "Host: second", "\0", "X: " + "x".repeat(300_000))) {
                    requests.add(RawClient.head(path, header));
                }
            }
            requests.addAll(List.of(
                    "GET mailto:x HTTP/1.1\r\n\r\n",
                    "GET / HTTP/9\r\n\r\n",
                    "\r\n",
                    "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"));
            for (int port : List.of(service.port(), metricsPort)) {
                for (String request : requests) {
                    var _ = new RawClient(port).exchange(request);
                }
            }
            List<String> lines = service.stop();
            assertEquals(
                    List.of(),
                    lines.stream().filter(line -> !line.matches("\\S+ INFO .*")).toList());
        }
    }

    @ParameterizedTest
    @CsvSource({"ACCESS_LOG, false", "LOG_LEVEL, error"})
    void whatever_is_not_logged_the_audit_log_stays(String name, String value) throws Exception {
        List<String> lines;
        try (var service = ServiceProcess.start(url, name, value)) {
            service.register("alice");
            lines = service.stop();
        }
        assertTrue(lines.stream().anyMatch(line -> line.contains("latchkey.audit registered")), lines::toString);
        assertTrue(lines.stream().noneMatch(line -> line.contains("latchkey.access")), lines::toString);
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "1, 0"})
    void a_header_of_an_unexpected_proxy_is_logged_as_one_warning(String hops, int warnings) throws Exception {
        List<String> lines;
        try (var service = ServiceProcess.start(url, "LOG_LEVEL", "warn", "TRUSTED_PROXY_HOPS", hops)) {
            for (String id : List.of("r1", "r2")) {
                client(service, id).login("alice", WRONG_PASSWORD);
            }
            lines = service.stop().stream()
                    .filter(line -> !line.contains("latchkey.audit"))
                    .toList();
        }
        assertEquals(warnings, lines.size(), lines::toString);
        assertTrue(lines.stream().allMatch(line -> line.contains("set TRUSTED_PROXY_HOPS")), lines::toString);
    }
}
