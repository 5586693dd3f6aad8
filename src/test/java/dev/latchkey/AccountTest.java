package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** A password's change, an account's end, and what stored hashes go through. */
class AccountTest extends StorageMatrix {
    private static final String NEXT = "a new and better one";

    private static TestClient.Answer changePassword(String token, String current, String next) {
        String body = new JsonMapper().writeValueAsString(Map.of("currentPassword", current, "newPassword", next));
        return app.send("PUT", "/api/auth/password", token, body);
    }

    private static TestClient.Answer deleteAccount(String token, String password) {
        return app.send(
                "DELETE",
                "/api/auth/account",
                token,
                new JsonMapper().writeValueAsString(Map.of("password", password)));
    }

    @Test
    void a_new_password_brings_a_new_token_and_ends_every_older_one() {
        String name = TestApp.newName();
        String first = app.newToken(name);
        String second = app.login(name, TestApp.PASSWORD).field("token");
        String foreign = app.foreignToken(name);
        String created = app.get("/api/auth/me", first).field("createdDate");
        var changed = changePassword(foreign, TestApp.PASSWORD, NEXT);
        assertEquals(200, changed.status());
        assertEquals(List.of("token"), List.copyOf(changed.json().propertyNames()));
        String token = changed.field("token");
        for (String old : List.of(first, second, foreign)) {
            assertEquals(401, app.get("/api/auth/verify", old).status());
        }
        assertEquals(created, app.get("/api/auth/me", token).field("createdDate"));
        assertEquals(List.of(app.key(token)), app.liveKeys(name));
        assertEquals(401, app.login(name, TestApp.PASSWORD).status());
        assertEquals(200, app.login(name, NEXT).status());
    }

    @Test
    void without_the_current_password_nothing_changes_and_the_token_stays_good() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String before = app.redis().get("users:" + name);
        var answers = List.of(
                changePassword(token, "not the password", NEXT),
                changePassword(token, "", NEXT),
                deleteAccount(token, "not the password"));
        for (var answer : answers) {
            assertEquals(401, answer.status());
            assertEquals(
                    "Bearer realm=\"latchkey\"",
                    answer.header("WWW-Authenticate"),
                    "invalid_token would make a client throw it away");
        }
        assertEquals(before, app.redis().get("users:" + name));
        assertEquals(204, app.get("/api/auth/verify", token).status());
    }

    @Test
    void a_new_password_obeys_the_policy() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        for (String bad : List.of("short", "x".repeat(129), name, "password1")) {
            var answer = changePassword(token, TestApp.PASSWORD, bad);
            assertEquals(400, answer.status(), bad);
            assertEquals(List.of("newPassword"), answer.json().get("errors").findValuesAsString("field"));
        }
        assertEquals(204, app.get("/api/auth/verify", token).status());
        var both = app.send("PUT", "/api/auth/password", token, "{\"newPassword\":1,\"x\":\"\"}");
        assertEquals(
                List.of("currentPassword", "newPassword", "x"),
                both.json().get("errors").findValuesAsString("field"));
    }

    @Test
    void fields_that_another_program_keeps_in_a_user_survive_a_new_password() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String key = "users:" + name;
        app.redis().set(key, app.redis().get(key).replace("}", ",\"email\":\"a@b.example\",\"roles\":[1,{}]}"));
        assertEquals(200, changePassword(token, TestApp.PASSWORD, NEXT).status());
        String stored = app.redis().get(key);
        assertTrue(
                stored.matches("\\{\"username\":\"" + name + "\",\"passwordHash\":\"\\$pbkdf2[^\"]*\",\"createdDate\":"
                        + "\"[^\"]*\",\"email\":\"a@b.example\",\"roles\":\\[1,\\{}]}"),
                stored);
    }

    @Test
    void a_deleted_account_leaves_nothing_and_the_next_of_its_name_inherits_nothing() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String second = app.login(name, TestApp.PASSWORD).field("token");
        String foreign = app.foreignToken(name);
        app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
        assertEquals(204, deleteAccount(foreign, TestApp.PASSWORD).status());
        assertEquals(0, app.redis().exists("users:" + name, "sessions:" + name, "todos:" + name));
        assertEquals(List.of(), app.liveKeys(name));
        for (String old : List.of(token, second, foreign)) {
            assertEquals(401, app.get("/api/auth/verify", old).status());
        }
        assertEquals(401, app.login(name, TestApp.PASSWORD).status());

        assertEquals(
                201,
                app.send("POST", "/api/auth/register", TestApp.credentials(name, NEXT))
                        .status());
        String next = app.login(name, NEXT).field("token");
        assertEquals(0, app.get("/api/todos", next).json().get("total").asInt());
        assertEquals(
                1, app.get("/api/auth/sessions", next).json().get("sessions").size());
        assertEquals(401, app.get("/api/auth/verify", token).status());
    }

    /** As it stands when the process dies in the midst of a deletion. */
    @Test
    void a_deletion_that_stopped_half_way_leaves_nothing_to_the_next_of_that_name() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
        app.redis().del("users:" + name);
        assertEquals(201, app.register(name).status());
        assertEquals(401, app.get("/api/auth/verify", token).status());
        assertEquals(0, app.redis().exists("sessions:" + name, "todos:" + name));
    }

    @Test
    void an_account_that_is_being_deleted_lets_nobody_in_and_keeps_its_name_for_a_while() {
        String name = TestApp.newName();
        app.register(name);
        String key = "users:" + name;
        app.redis().set(key, app.redis().get(key).replaceAll("\"passwordHash\":\"[^\"]*\"", "\"passwordHash\":\"\""));
        assertEquals(401, app.login(name, TestApp.PASSWORD).status());
        assertEquals(401, app.login(name, "").status());
        assertEquals(409, app.register(name).status());
    }

    @Test
    void a_body_on_delete_is_needed() {
        String token = app.newToken();
        assertEquals(415, app.send("DELETE", "/api/auth/account", token, "").status());
        var answer = app.send("DELETE", "/api/auth/account", token, "{}");
        assertEquals(400, answer.status());
        assertEquals(204, app.get("/api/auth/verify", token).status());
    }

    @Test
    void a_hash_of_fewer_iterations_is_replaced_at_the_next_good_login_and_nothing_else() throws Exception {
        try (var stronger = TestApp.start("TOKEN_STORAGE", storage, "PBKDF2_ITERATIONS", "100000")) {
            String name = TestApp.newName();
            String token = app.newToken(name);
            String key = "users:" + name;
            String before = app.redis().get(key);
            assertEquals(401, stronger.login(name, NEXT).status());
            assertEquals(before, app.redis().get(key), "a wrong password upgrades nothing");
            assertEquals(200, stronger.login(name, TestApp.PASSWORD).status());
            String after = app.redis().get(key);
            assertTrue(after.contains("$i=100000$"), after);
            assertEquals(withoutHash(before), withoutHash(after));
            assertEquals(204, app.get("/api/auth/verify", token).status(), "sessions go on");
            assertEquals(200, stronger.login(name, TestApp.PASSWORD).status());
            assertEquals(after, app.redis().get(key), "once");
            assertEquals(200, app.login(name, TestApp.PASSWORD).status(), "where less is configured, too");
            assertEquals(after, app.redis().get(key), "never downgraded");
        }
    }

    private static String withoutHash(String json) {
        return json.replaceAll("\"passwordHash\":\"[^\"]*\"", "");
    }

    @ParameterizedTest
    @ValueSource(strings = {"password1", "PASSWORD1", "Football1", "trustno1"})
    void a_common_password_is_refused_in_any_case(String password) {
        String name = TestApp.newName();
        var answer = app.send("POST", "/api/auth/register", TestApp.credentials(name, password));
        assertEquals(400, answer.status());
        assertTrue(answer.text().contains("most common"), answer.text());
        assertFalse(answer.text().contains(password), "no answer repeats a password");
        assertEquals(0, app.redis().exists("users:" + name));
    }
}
