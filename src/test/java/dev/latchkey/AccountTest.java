package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Password changes, account deletions and upgrades of stored password hashes. */
class AccountTest extends StorageMatrix {
    private static final String NEW_PASSWORD = "a new and better one";

    @Test
    void closed_registration_refuses_every_name_and_leaves_existing_accounts_usable() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        try (var closed = TestApp.start("REGISTRATION", "closed")) {
            String newName = TestApp.newName();
            for (String username : List.of(newName, name, "")) {
                expect(403, closed.register(username));
            }
            assertNull(closed.redis().get("users:" + newName));
            expect(200, closed.login(name, TestApp.PASSWORD));
        }
    }

    @Test
    void a_password_change_returns_a_new_token_and_revokes_all_others() {
        String name = TestApp.newName();
        String first = app.newToken(name);
        String second = app.login(name, TestApp.PASSWORD).field("token");
        String foreign = app.foreignToken(name);
        String created = app.get("/api/auth/me", first).field("createdDate");
        var changed = expect(200, app.changePassword(foreign, TestApp.PASSWORD, NEW_PASSWORD));
        String token = changed.field("token");
        for (String old : List.of(first, second, foreign)) {
            expect(401, app.verify(old));
        }
        assertEquals(created, app.get("/api/auth/me", token).field("createdDate"));
        assertEquals(List.of(app.key(token)), app.liveKeys(name));
        expect(401, app.login(name, TestApp.PASSWORD));
        expect(200, app.login(name, NEW_PASSWORD));
    }

    @Test
    void a_wrong_current_password_changes_nothing_and_the_token_stays_valid() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String before = app.redis().get("users:" + name);
        for (var response : List.of(
                app.changePassword(token, "not the password", NEW_PASSWORD),
                app.changePassword(token, "", NEW_PASSWORD),
                app.deleteAccount(token, "not the password"))) {
            // error="invalid_token" would make the client discard its valid token.
            assertEquals("Bearer realm=\"latchkey\"", expect(401, response).header("WWW-Authenticate"));
        }
        assertEquals(before, app.redis().get("users:" + name));
        expect(200, app.verify(token));
    }

    @Test
    void a_new_password_must_satisfy_the_password_policy() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        for (String rejected : List.of("short", "x".repeat(129), name, "password1")) {
            var response = app.changePassword(token, TestApp.PASSWORD, rejected);
            assertEquals(400, response.status(), rejected);
            assertEquals(List.of("newPassword"), response.json().get("errors").findValuesAsString("field"));
        }
        expect(200, app.verify(token));
        expect(400, app.send("DELETE", "/api/auth/account", token, "{}"));
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
        expect(200, app.changePassword(token, TestApp.PASSWORD, NEW_PASSWORD));
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
        app.createTodo(token, "mine");
        expect(204, app.deleteAccount(foreign, TestApp.PASSWORD));
        assertEquals(0, app.redis().exists("users:" + name, "sessions:" + name, "todos:" + name));
        assertEquals(List.of(), app.liveKeys(name));
        for (String old : List.of(token, second, foreign)) {
            expect(401, app.verify(old));
        }
        expect(401, app.login(name, TestApp.PASSWORD));

        expect(201, app.register(name, NEW_PASSWORD));
        String next = app.login(name, NEW_PASSWORD).field("token");
        assertEquals(0, app.get("/api/todos", next).json().get("total").asInt());
        assertEquals(
                1, app.get("/api/auth/sessions", next).json().get("sessions").size());
        expect(401, app.verify(token));
    }

    @Test
    void the_next_successful_login_upgrades_a_hash_with_too_few_iterations_and_changes_nothing_else() throws Exception {
        try (var stronger = TestApp.start("TOKEN_STORAGE", storage, "PBKDF2_ITERATIONS", "100000")) {
            String name = TestApp.newName();
            String token = app.newToken(name);
            String key = "users:" + name;
            String before = app.redis().get(key);
            expect(401, stronger.login(name, NEW_PASSWORD));
            assertEquals(before, app.redis().get(key), "a failed login must not upgrade the hash");
            expect(200, stronger.login(name, TestApp.PASSWORD));
            String after = app.redis().get(key);
            assertTrue(after.contains("$i=100000$"), after);
            assertEquals(withoutHash(before), withoutHash(after));
            expect(200, app.verify(token));
            expect(200, stronger.login(name, TestApp.PASSWORD));
            assertEquals(after, app.redis().get(key), "the hash must be upgraded only once");
            expect(200, app.login(name, TestApp.PASSWORD)); // with fewer iterations, it accepts the stronger hash
            assertEquals(after, app.redis().get(key), "the hash must never be downgraded");
        }
    }

    private static String withoutHash(String json) {
        return json.replaceAll("\"passwordHash\":\"[^\"]*\"", "");
    }
}
