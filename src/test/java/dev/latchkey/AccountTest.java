package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
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

/** Password changes, account deletions and upgrades of stored password hashes. */
class AccountTest extends StorageMatrix {
    private static final String NEW_PASSWORD = "a new and better one";

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
    void closed_registration_refuses_every_name_and_leaves_existing_accounts_usable() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        try (var closed = TestApp.start("REGISTRATION", "closed")) {
            String newName = TestApp.newName();
            for (String username : List.of(newName, name, "")) {
                assertEquals(403, closed.register(username).status());
            }
            assertNull(closed.redis().get("users:" + newName));
            assertEquals(200, closed.login(name, TestApp.PASSWORD).status());
        }
    }

    @Test
    void a_password_change_returns_a_new_token_and_revokes_all_others() {
        String name = TestApp.newName();
        String first = app.newToken(name);
        String second = app.login(name, TestApp.PASSWORD).field("token");
        String foreign = app.foreignToken(name);
        String created = app.get("/api/auth/me", first).field("createdDate");
        var changed = changePassword(foreign, TestApp.PASSWORD, NEW_PASSWORD);
        assertEquals(200, changed.status());
        assertEquals(List.of("token", "expiresDate"), List.copyOf(changed.json().propertyNames()));
        String token = changed.field("token");
        for (String old : List.of(first, second, foreign)) {
            assertEquals(401, app.get("/api/auth/verify", old).status());
        }
        assertEquals(created, app.get("/api/auth/me", token).field("createdDate"));
        assertEquals(List.of(app.key(token)), app.liveKeys(name));
        assertEquals(401, app.login(name, TestApp.PASSWORD).status());
        assertEquals(200, app.login(name, NEW_PASSWORD).status());
    }

    @Test
    void a_wrong_current_password_changes_nothing_and_the_token_stays_valid() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String before = app.redis().get("users:" + name);
        var responses = List.of(
                changePassword(token, "not the password", NEW_PASSWORD),
                changePassword(token, "", NEW_PASSWORD),
                deleteAccount(token, "not the password"));
        for (var response : responses) {
            assertEquals(401, response.status());
            assertEquals(
                    "Bearer realm=\"latchkey\"",
                    response.header("WWW-Authenticate"),
                    "error=\"invalid_token\" would make the client discard its valid token");
        }
        assertEquals(before, app.redis().get("users:" + name));
        assertEquals(200, app.get("/api/auth/verify", token).status());
    }

    @Test
    void a_new_password_must_satisfy_the_password_policy() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        for (String rejected : List.of("short", "x".repeat(129), name, "password1")) {
            var response = changePassword(token, TestApp.PASSWORD, rejected);
            assertEquals(400, response.status(), rejected);
            assertEquals(List.of("newPassword"), response.json().get("errors").findValuesAsString("field"));
        }
        assertEquals(200, app.get("/api/auth/verify", token).status());
        var both = app.send("PUT", "/api/auth/password", token, "{\"newPassword\":1,\"x\":\"\"}");
        assertEquals(
                List.of("currentPassword", "newPassword", "x"),
                both.json().get("errors").findValuesAsString("field"));
    }

    @Test
    void a_password_change_keeps_the_fields_that_another_program_added_to_the_user_record() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String key = "users:" + name;
        app.redis().set(key, app.redis().get(key).replace("}", ",\"email\":\"a@b.example\",\"roles\":[1,{}]}"));
        assertEquals(200, changePassword(token, TestApp.PASSWORD, NEW_PASSWORD).status());
        String stored = app.redis().get(key);
        assertTrue(
                stored.matches("\\{\"username\":\"" + name + "\",\"passwordHash\":\"\\$pbkdf2[^\"]*\",\"createdDate\":"
                        + "\"[^\"]*\",\"email\":\"a@b.example\",\"roles\":\\[1,\\{}]}"),
                stored);
    }

    @Test
    void deleting_an_account_deletes_all_its_data_and_registering_the_username_again_inherits_nothing() {
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
                app.send("POST", "/api/auth/register", TestApp.credentials(name, NEW_PASSWORD))
                        .status());
        String next = app.login(name, NEW_PASSWORD).field("token");
        assertEquals(0, app.get("/api/todos", next).json().get("total").asInt());
        assertEquals(
                1, app.get("/api/auth/sessions", next).json().get("sessions").size());
        assertEquals(401, app.get("/api/auth/verify", token).status());
    }

    /** The state in Redis is the one that a process leaves behind if it crashes during a deletion. */
    @Test
    void registering_a_username_again_after_an_interrupted_deletion_inherits_nothing() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
        app.redis().del("users:" + name);
        assertEquals(201, app.register(name).status());
        assertEquals(401, app.get("/api/auth/verify", token).status());
        assertEquals(0, app.redis().exists("sessions:" + name, "todos:" + name));
    }

    @Test
    void during_an_account_deletion_logins_fail_and_the_username_stays_taken() {
        String name = TestApp.newName();
        app.register(name);
        String key = "users:" + name;
        app.redis().set(key, app.redis().get(key).replaceAll("\"passwordHash\":\"[^\"]*\"", "\"passwordHash\":\"\""));
        assertEquals(401, app.login(name, TestApp.PASSWORD).status());
        assertEquals(401, app.login(name, "").status());
        assertEquals(409, app.register(name).status());
    }

    @Test
    void deleting_an_account_requires_a_request_body() {
        String token = app.newToken();
        assertEquals(415, app.send("DELETE", "/api/auth/account", token, "").status());
        var response = app.send("DELETE", "/api/auth/account", token, "{}");
        assertEquals(400, response.status());
        assertEquals(200, app.get("/api/auth/verify", token).status());
    }

    @Test
    void the_next_successful_login_upgrades_a_hash_with_too_few_iterations_and_changes_nothing_else() throws Exception {
        try (var stronger = TestApp.start("TOKEN_STORAGE", storage, "PBKDF2_ITERATIONS", "100000")) {
            String name = TestApp.newName();
            String token = app.newToken(name);
            String key = "users:" + name;
            String before = app.redis().get(key);
            assertEquals(401, stronger.login(name, NEW_PASSWORD).status());
            assertEquals(before, app.redis().get(key), "a failed login must not upgrade the hash");
            assertEquals(200, stronger.login(name, TestApp.PASSWORD).status());
            String after = app.redis().get(key);
            assertTrue(after.contains("$i=100000$"), after);
            assertEquals(withoutHash(before), withoutHash(after));
            assertEquals(200, app.get("/api/auth/verify", token).status(), "existing sessions must stay valid");
            assertEquals(200, stronger.login(name, TestApp.PASSWORD).status());
            assertEquals(after, app.redis().get(key), "the hash must be upgraded only once");
            assertEquals(
                    200,
                    app.login(name, TestApp.PASSWORD).status(),
                    "a service configured with fewer iterations must accept the stronger hash");
            assertEquals(after, app.redis().get(key), "the hash must never be downgraded");
        }
    }

    private static String withoutHash(String json) {
        return json.replaceAll("\"passwordHash\":\"[^\"]*\"", "");
    }

    @ParameterizedTest
    @ValueSource(strings = {"password1", "PASSWORD1", "Football1", "trustno1"})
    void a_common_password_is_rejected_in_upper_or_lower_case(String password) {
        String name = TestApp.newName();
        var response = app.send("POST", "/api/auth/register", TestApp.credentials(name, password));
        assertEquals(400, response.status());
        assertTrue(response.text().contains("most common"), response.text());
        assertFalse(response.text().contains(password), "a response must not contain the password");
        assertEquals(0, app.redis().exists("users:" + name));
    }
}
