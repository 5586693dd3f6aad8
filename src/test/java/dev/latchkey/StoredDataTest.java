package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestApp;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
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

    private void assertRevoked(String... tokens) {
        for (String revoked : tokens) {
            expect(401, app.verify(revoked));
        }
    }

    /** Replaces each # in the value, the last argument of the command, by a byte that is not UTF-8. */
    private static void storeDamaged(String command, String value) {
        byte[] damaged = value.replace('#', '\u00ff').getBytes(StandardCharsets.ISO_8859_1);
        redis.send(command + " \"" + HexFormat.of().withPrefix("\\x").formatHex(damaged) + "\"");
    }

    private void damageIndex(String kind) {
        String key = "sessions:" + name;
        switch (kind) {
            case "entry" -> app.redis().hset(key, "a", "b");
            case "older entry" -> app.redis().hset(key, otherToken, "{\"id\":\"x\"}");
            case "field that is not UTF-8" -> redis.send("HSET " + key + " \"\\xff\\xfe\" b");
            default -> {
                app.redis().del(key);
                app.redis().set(key, kind);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"entry", "older entry", "field that is not UTF-8"})
    void an_unreadable_session_entry_does_not_prevent_revocation(String kind) {
        damageIndex(kind);
        var list = expect(200, app.get("/api/auth/sessions", token));
        // An unreadable entry is omitted from the list.
        assertEquals(
                kind.equals("older entry") ? 1 : 2, list.json().get("sessions").size());
        String newToken = expect(200, app.changePassword(token, TestApp.PASSWORD, NEW_PASSWORD))
                .field("token");
        assertRevoked(token, otherToken);
        damageIndex(kind);
        expect(204, app.send("DELETE", "/api/auth/sessions", newToken, ""));
        assertRevoked(newToken);
        String lastToken = app.login(name, NEW_PASSWORD).field("token");
        damageIndex(kind);
        expect(204, app.deleteAccount(lastToken, NEW_PASSWORD));
        assertRevoked(lastToken);
        expect(201, app.register(name));
    }

    @Test
    void a_session_index_of_the_wrong_type_does_not_prevent_any_operation() {
        damageIndex("another type");
        expect(204, app.logout(otherToken));
        assertRevoked(otherToken);
        damageIndex("another type");
        expect(200, app.login(name, TestApp.PASSWORD));
        damageIndex("another type");
        expect(200, app.get("/api/auth/sessions", token));
        damageIndex("another type");
        var changed = expect(200, app.changePassword(token, TestApp.PASSWORD, NEW_PASSWORD));
        assertRevoked(token);
        damageIndex("another type");
        String lastToken = changed.field("token");
        expect(204, app.deleteAccount(lastToken, NEW_PASSWORD));
        assertRevoked(lastToken);
    }

    /**
     * Decoding such a record and encoding it again changes its bytes. A compare-and-set with the result would therefore
     * never succeed.
     */
    @Test
    void a_user_record_that_is_not_utf_8_allows_logins_and_updating_it_fails_without_endless_retries()
            throws Exception {
        String key = "users:" + name;
        String json = app.redis().get(key).replace("}", ",\"note\":\"#\"}");
        storeDamaged("SET " + key, json);
        expect(200, app.login(name, TestApp.PASSWORD));
        expect(503, app.changePassword(token, TestApp.PASSWORD, NEW_PASSWORD));
        expect(503, app.deleteAccount(token, TestApp.PASSWORD));
        try (var stronger = TestApp.startOn(redis.url(), "PBKDF2_ITERATIONS", "100000")) {
            expect(200, stronger.login(name, TestApp.PASSWORD)); // although the hash cannot be upgraded
        }
    }

    @Test
    void a_todo_that_is_not_utf_8_can_be_deleted_and_updating_it_fails_without_endless_retries() {
        String id = app.createTodo(token, "#").field("id");
        String key = "todos:" + name;
        String json = app.redis().hget(key, id);
        storeDamaged("HSET " + key + " " + id, json);
        expect(503, app.send("PATCH", "/api/todos/" + id, token, "{\"name\":\"x\"}"));
        expect(204, app.send("DELETE", "/api/todos/" + id, token, ""));
    }

    @Test
    void an_unreadable_todo_can_be_deleted_and_does_not_hide_other_todos() {
        String id = app.createTodo(token, "x").field("id");
        app.createTodo(token, "y");
        app.redis().hset("todos:" + name, id, "not JSON");
        for (String query : List.of("", "?status=todo")) {
            assertEquals(
                    List.of("y"),
                    app.get("/api/todos" + query, token).json().get("todos").findValuesAsString("name"));
        }
        expect(204, app.send("DELETE", "/api/todos/" + id, token, ""));
        expect(404, app.send("DELETE", "/api/todos/" + id, token, ""));
    }

    /** The value is returned in {@code X-Auth-User}, the header that tells an upstream which user is logged in. */
    @Test
    void a_token_whose_value_is_not_a_valid_username_gets_a_401() {
        for (String value : List.of(
                "",
                "alice, admin",
                "alice\0",
                "\u017c\u00f3\u0142w",
                "alice\nX-Auth-User: root",
                " ",
                "\u00ac\u00ed\0\5t",
                "al\u007f",
                "a".repeat(255))) {
            app.redis().set(app.key(token), value);
            for (var response : List.of(app.verify(token), app.get("/api/auth/me", token), app.refresh(token))) {
                assertTrue(expect(401, response).header("WWW-Authenticate").contains("invalid_token"), value);
            }
        }
        String longest = "a".repeat(254);
        app.redis().set(app.key(token), longest);
        assertEquals(longest, app.verify(token).header("X-Auth-User"));
    }

    @Test
    void a_password_with_extra_trailing_nul_characters_does_not_log_in() {
        for (String nuls : List.of("\0", "\0\0\0")) {
            expect(401, app.login(name, TestApp.PASSWORD + nuls));
        }
        expect(400, app.register(TestApp.newName(), "\0".repeat(8)));
    }

    @Test
    void refreshing_the_token_of_a_nonexistent_user_gets_a_401() {
        String foreign = app.foreignToken(TestApp.newName());
        expect(401, app.refresh(foreign));
        expect(200, app.verify(foreign)); // another service may have its own users
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
                for (var response : List.of(service.login("alice", TestApp.PASSWORD), service.verify(foreign))) {
                    expect(500, response);
                    assertEquals("", response.header("Retry-After"));
                    assertEquals("internal_error", response.field("code"));
                }
            }
            String log = String.join("\n", service.stop());
            assertEquals(2, log.split(" ERROR ", -1).length - 1, log);
            assertTrue(log.contains("a key holds a value of the wrong type: delete or rename it key=users:alice"), log);
            assertFalse(log.contains(foreign), log);
        }
    }
}
