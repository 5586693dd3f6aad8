package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.TestApp;
import io.lettuce.core.RedisClient;
import io.lettuce.core.codec.ByteArrayCodec;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What another program, an older version or a mistake has left in Redis. It must not stop revocation, nor keep a core busy. */
class StoredDataTest {
    private static final String NEXT = "a new and better one";

    @AutoClose
    private static EmbeddedRedis redis;

    @AutoClose
    private static TestApp app;

    private final String name = TestApp.newName();
    private String token = "";
    private String other = "";

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start();
        app = TestApp.startOn(redis.url());
    }

    @BeforeEach
    void newUser() {
        token = app.newToken(name);
        other = app.login(name, TestApp.PASSWORD).field("token");
    }

    private static int status(String method, String path, String token, String body) {
        return app.send(method, path, token, body).status();
    }

    private int verify(String token) {
        return app.get("/api/auth/verify", token).status();
    }

    private static String passwordChange() {
        return "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + NEXT + "\"}";
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

    /** How the index is spoilt. */
    private Consumer<String> spoilt(String how) {
        return switch (how) {
            case "entry" -> key -> app.redis().hset(key, "a", "b");
            case "older entry" -> key -> app.redis().hset(key, other, "{\"id\":\"x\"}");
            case "field that is not UTF-8" -> key -> setRaw(key, "\u00ff\u00fe", new byte[] {'b'});
            case "another type" ->
                key -> {
                    app.redis().del(key);
                    app.redis().set(key, "x");
                };
            default -> throw new IllegalArgumentException(how);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"entry", "older entry", "field that is not UTF-8"})
    void an_unreadable_session_entry_stops_no_revocation(String how) {
        String key = "sessions:" + name;
        spoilt(how).accept(key);
        var list = app.get("/api/auth/sessions", token);
        assertEquals(200, list.status());
        assertEquals(
                how.equals("older entry") ? 1 : 2, list.json().get("sessions").size(), "it is left out");
        var changed = app.send("PUT", "/api/auth/password", token, passwordChange());
        assertEquals(200, changed.status());
        assertEquals(List.of(401, 401), List.of(verify(token), verify(other)));
        spoilt(how).accept(key);
        String next = changed.field("token");
        assertEquals(204, status("DELETE", "/api/auth/sessions", next, ""));
        assertEquals(401, verify(next));
        String last = app.login(name, NEXT).field("token");
        spoilt(how).accept(key);
        assertEquals(204, status("DELETE", "/api/auth/account", last, "{\"password\":\"" + NEXT + "\"}"));
        assertEquals(401, verify(last));
        assertEquals(201, app.register(name).status());
    }

    @Test
    void a_session_index_of_another_type_stops_nothing() {
        Consumer<String> spoil = spoilt("another type");
        String key = "sessions:" + name;
        spoil.accept(key);
        assertEquals(204, status("POST", "/api/auth/logout", other, ""));
        assertEquals(401, verify(other));
        spoil.accept(key);
        assertEquals(200, app.login(name, TestApp.PASSWORD).status());
        spoil.accept(key);
        assertEquals(200, app.get("/api/auth/sessions", token).status());
        spoil.accept(key);
        var changed = app.send("PUT", "/api/auth/password", token, passwordChange());
        assertEquals(200, changed.status());
        assertEquals(401, verify(token));
        spoil.accept(key);
        String last = changed.field("token");
        assertEquals(204, status("DELETE", "/api/auth/account", last, "{\"password\":\"" + NEXT + "\"}"));
        assertEquals(401, verify(last));
    }

    /** A compare-and-set of text that was decoded and encoded again never succeeds. */
    @Test
    void a_user_record_with_a_byte_that_is_not_utf_8_keeps_no_core_busy() {
        String key = "users:" + name;
        String json = app.redis().get(key).replace("}", ",\"note\":\"#\"}");
        setRaw(key, "", json.replace('#', '\u00ff').getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(200, app.login(name, TestApp.PASSWORD).status());
        assertEquals(503, status("PUT", "/api/auth/password", token, passwordChange()));
        assertEquals(503, status("DELETE", "/api/auth/account", token, "{\"password\":\"" + TestApp.PASSWORD + "\"}"));
    }

    @Test
    void a_login_whose_hash_cannot_be_upgraded_succeeds_with_the_old_one() throws Exception {
        String key = "users:" + name;
        String json = app.redis().get(key).replace("}", ",\"note\":\"#\"}");
        setRaw(key, "", json.replace('#', '\u00ff').getBytes(StandardCharsets.ISO_8859_1));
        try (var stronger = TestApp.startOn(redis.url(), "PBKDF2_ITERATIONS", "100000")) {
            assertEquals(200, stronger.login(name, TestApp.PASSWORD).status());
        }
    }

    @Test
    void a_todo_with_a_byte_that_is_not_utf_8_can_be_deleted_and_keeps_no_core_busy() {
        String id = app.send("POST", "/api/todos", token, "{\"name\":\"#\"}").field("id");
        String key = "todos:" + name;
        String json = app.redis().hget(key, id);
        setRaw(key, id, json.replace('#', '\u00ff').getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(503, status("PATCH", "/api/todos/" + id, token, "{\"name\":\"x\"}"));
        assertEquals(204, status("DELETE", "/api/todos/" + id, token, ""));
    }

    @Test
    void an_unreadable_todo_can_be_deleted_and_hides_no_other() {
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

    /** The value goes into the header that names the user to the upstream. */
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
    void a_token_whose_value_cannot_be_a_username_is_401_everywhere(String value) {
        assertRefused(value);
    }

    @Test
    void a_token_whose_value_is_too_long_for_a_username_is_401_everywhere() {
        assertRefused("a".repeat(255));
        String longest = "a".repeat(254);
        app.redis().set(app.key(other), longest);
        assertEquals(longest, app.get("/api/auth/verify", other).header("X-Auth-User"));
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
            var answer = app.send(parts[0], parts[1], token, "");
            assertEquals(401, answer.status(), route);
            assertTrue(answer.header("WWW-Authenticate").contains("invalid_token"), route);
        }
    }

    @Test
    void a_password_that_differs_by_trailing_nuls_does_not_log_in() {
        for (String nuls : List.of("\0", "\0\0\0")) {
            assertEquals(401, app.login(name, TestApp.PASSWORD + nuls).status());
        }
        assertEquals(
                400,
                app.send("POST", "/api/auth/register", TestApp.credentials(TestApp.newName(), "\0".repeat(8)))
                        .status());
    }

    @Test
    void a_refresh_of_a_user_who_does_not_exist_is_401() {
        String foreign = app.foreignToken(TestApp.newName());
        assertEquals(401, status("POST", "/api/auth/refresh", foreign, ""));
        assertEquals(204, verify(foreign), "another service may have users of its own");
    }
}
