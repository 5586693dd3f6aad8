package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestApp;
import io.lettuce.core.RedisClient;
import io.lettuce.core.codec.ByteArrayCodec;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Unexpected data in Redis that another program, an older version or a mistake has left there. Such data must not
 * prevent revocation, and must not keep a CPU core busy.
 */
class StoredDataTest {
    private static final String NEW_PASSWORD = "a new and better one";

    @AutoClose
    private static EmbeddedRedis redis;

    @AutoClose
    private static TestApp app;

    private final String name = TestApp.newName();
    private String token = "";
    private String otherToken = "";

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start();
        app = TestApp.startOn(redis.url());
    }

    @BeforeEach
    void newUser() {
        token = app.newToken(name);
        otherToken = app.login(name, TestApp.PASSWORD).field("token");
    }

    private static int status(String method, String path, String token, String body) {
        return app.send(method, path, token, body).status();
    }

    private int verify(String token) {
        return app.get("/api/auth/verify", token).status();
    }

    private static String passwordChange() {
        return "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + NEW_PASSWORD + "\"}";
    }

    private static void setRaw(String key, String field, byte[] value) {
        try (var client = RedisClient.create(redis.url());
                var connection = client.connect(ByteArrayCodec.INSTANCE)) {
            byte[] keyBytes = key.getBytes(StandardCharsets.UTF_8);
            if (field.isEmpty()) {
                connection.sync().set(keyBytes, value);
            } else {
                connection.sync().hset(keyBytes, field.getBytes(StandardCharsets.ISO_8859_1), value);
            }
        }
    }

    /** Returns an operation that damages the session index under the given key. */
    private Consumer<String> damage(String kind) {
        return switch (kind) {
            case "entry" -> key -> app.redis().hset(key, "a", "b");
            case "older entry" -> key -> app.redis().hset(key, otherToken, "{\"id\":\"x\"}");
            case "field that is not UTF-8" -> key -> setRaw(key, "\u00ff\u00fe", new byte[] {'b'});
            case "another type" ->
                key -> {
                    app.redis().del(key);
                    app.redis().set(key, "x");
                };
            default -> throw new IllegalArgumentException(kind);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"entry", "older entry", "field that is not UTF-8"})
    void an_unreadable_session_entry_does_not_prevent_revocation(String kind) {
        String key = "sessions:" + name;
        damage(kind).accept(key);
        var list = app.get("/api/auth/sessions", token);
        assertEquals(200, list.status());
        assertEquals(
                kind.equals("older entry") ? 1 : 2,
                list.json().get("sessions").size(),
                "An unreadable entry must be omitted from the list.");
        var changed = app.send("PUT", "/api/auth/password", token, passwordChange());
        assertEquals(200, changed.status());
        assertEquals(List.of(401, 401), List.of(verify(token), verify(otherToken)));
        damage(kind).accept(key);
        String newToken = changed.field("token");
        assertEquals(204, status("DELETE", "/api/auth/sessions", newToken, ""));
        assertEquals(401, verify(newToken));
        String lastToken = app.login(name, NEW_PASSWORD).field("token");
        damage(kind).accept(key);
        assertEquals(204, status("DELETE", "/api/auth/account", lastToken, "{\"password\":\"" + NEW_PASSWORD + "\"}"));
        assertEquals(401, verify(lastToken));
        assertEquals(201, app.register(name).status());
    }

    @Test
    void a_session_index_of_the_wrong_type_does_not_prevent_any_operation() {
        Consumer<String> damage = damage("another type");
        String key = "sessions:" + name;
        damage.accept(key);
        assertEquals(204, status("POST", "/api/auth/logout", otherToken, ""));
        assertEquals(401, verify(otherToken));
        damage.accept(key);
        assertEquals(200, app.login(name, TestApp.PASSWORD).status());
        damage.accept(key);
        assertEquals(200, app.get("/api/auth/sessions", token).status());
        damage.accept(key);
        var changed = app.send("PUT", "/api/auth/password", token, passwordChange());
        assertEquals(200, changed.status());
        assertEquals(401, verify(token));
        damage.accept(key);
        String lastToken = changed.field("token");
        assertEquals(204, status("DELETE", "/api/auth/account", lastToken, "{\"password\":\"" + NEW_PASSWORD + "\"}"));
        assertEquals(401, verify(lastToken));
    }

    /**
     * Decoding such a record and encoding it again changes its bytes. A compare-and-set with the result would therefore
     * never succeed.
     */
    @Test
    void updating_a_user_record_that_is_not_utf_8_fails_without_endless_retries() {
        String key = "users:" + name;
        String json = app.redis().get(key).replace("}", ",\"note\":\"#\"}");
        setRaw(key, "", json.replace('#', '\u00ff').getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(200, app.login(name, TestApp.PASSWORD).status());
        assertEquals(503, status("PUT", "/api/auth/password", token, passwordChange()));
        assertEquals(503, status("DELETE", "/api/auth/account", token, "{\"password\":\"" + TestApp.PASSWORD + "\"}"));
    }

    @Test
    void a_login_succeeds_with_the_old_hash_if_the_hash_cannot_be_upgraded() throws Exception {
        String key = "users:" + name;
        String json = app.redis().get(key).replace("}", ",\"note\":\"#\"}");
        setRaw(key, "", json.replace('#', '\u00ff').getBytes(StandardCharsets.ISO_8859_1));
        try (var stronger = TestApp.startOn(redis.url(), "PBKDF2_ITERATIONS", "100000")) {
            assertEquals(200, stronger.login(name, TestApp.PASSWORD).status());
        }
    }

    @Test
    void a_todo_that_is_not_utf_8_can_be_deleted_and_updating_it_fails_without_endless_retries() {
        String id = app.send("POST", "/api/todos", token, "{\"name\":\"#\"}").field("id");
        String key = "todos:" + name;
        String json = app.redis().hget(key, id);
        setRaw(key, id, json.replace('#', '\u00ff').getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(503, status("PATCH", "/api/todos/" + id, token, "{\"name\":\"x\"}"));
        assertEquals(204, status("DELETE", "/api/todos/" + id, token, ""));
    }

    @Test
    void an_unreadable_todo_can_be_deleted_and_does_not_hide_other_todos() {
        String id = app.send("POST", "/api/todos", token, "{\"name\":\"x\"}").field("id");
        app.send("POST", "/api/todos", token, "{\"name\":\"y\"}");
        app.redis().hset("todos:" + name, id, "not JSON");
        for (String query : List.of("", "?status=todo")) {
            assertEquals(
                    List.of("y"),
                    app.get("/api/todos" + query, token).json().get("todos").findValuesAsString("name"));
        }
        assertEquals(204, status("DELETE", "/api/todos/" + id, token, ""));
        assertEquals(404, status("DELETE", "/api/todos/" + id, token, ""));
    }

    /** The value is returned in {@code X-Auth-User}, the header that tells an upstream which user is logged in. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "alice, admin",
                "alice\0",
                "\u017c\u00f3\u0142w",
                "alice\nX-Auth-User: root",
                " ",
                "\u00ac\u00ed\0\5t",
                "al\u007f"
            })
    void a_token_whose_value_is_not_a_valid_username_gets_a_401_on_every_route(String value) {
        assertRefused(value);
    }

    @Test
    void a_token_whose_value_is_too_long_for_a_username_gets_a_401_on_every_route() {
        assertRefused("a".repeat(255));
        String longest = "a".repeat(254);
        app.redis().set(app.key(otherToken), longest);
        assertEquals(longest, app.get("/api/auth/verify", otherToken).header("X-Auth-User"));
    }

    private void assertRefused(String value) {
        app.redis().set(app.key(token), value);
        for (String route : List.of(
                "GET /api/auth/verify",
                "GET /api/auth/me",
                "POST /api/auth/refresh",
                "POST /api/auth/logout",
                "GET /api/auth/sessions",
                "DELETE /api/auth/sessions",
                "GET /api/todos")) {
            String[] parts = route.split(" ", -1);
            var response = app.send(parts[0], parts[1], token, "");
            assertEquals(401, response.status(), route);
            assertTrue(response.header("WWW-Authenticate").contains("invalid_token"), route);
        }
    }

    @Test
    void a_password_with_extra_trailing_nul_characters_does_not_log_in() {
        for (String nuls : List.of("\0", "\0\0\0")) {
            assertEquals(401, app.login(name, TestApp.PASSWORD + nuls).status());
        }
        assertEquals(
                400,
                app.send("POST", "/api/auth/register", TestApp.credentials(TestApp.newName(), "\0".repeat(8)))
                        .status());
    }

    @Test
    void refreshing_the_token_of_a_nonexistent_user_gets_a_401() {
        String foreign = app.foreignToken(TestApp.newName());
        assertEquals(401, status("POST", "/api/auth/refresh", foreign, ""));
        assertEquals(
                200, verify(foreign), "The token must stay valid, because another service may have its own users.");
    }

    @Test
    void a_key_of_the_wrong_type_is_a_500_and_is_logged_once_without_a_token() throws Exception {
        try (var own = EmbeddedRedis.start();
                var admin = new RedisAdmin(own.url(), false);
                var service = ServiceProcess.start(own.url())) {
            String foreign = UUID.randomUUID().toString();
            admin.commands().hset("tokens:" + foreign, "a", "b");
            admin.commands().hset("users:alice", "a", "b");
            for (int i = 0; i < 3; i++) {
                for (var response :
                        List.of(service.login("alice", TestApp.PASSWORD), service.get("/api/auth/verify", foreign))) {
                    assertEquals(500, response.status());
                    assertEquals("", response.header("Retry-After"));
                    assertTrue(response.text().contains("A stored record is damaged."), response.text());
                }
            }
            String log = String.join("\n", service.stop());
            assertEquals(2, log.split(" ERROR ", -1).length - 1, log);
            assertTrue(log.contains("a key holds a value of the wrong type: delete or rename it key=users:alice"), log);
            assertFalse(log.contains(foreign), log);
        }
    }
}
