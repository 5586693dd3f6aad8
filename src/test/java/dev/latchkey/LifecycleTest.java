package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.provider.CsvSource;

/** The life of users and tokens, as HTTP clients see it and as Redis stores it. */
@CsvSource({"plain, one", "hashed, one", "plain, acl", "hashed, tls", "plain, sentinel", "hashed, cluster"})
class LifecycleTest extends StorageMatrix {
    private static final String UUID_V4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

    @Test
    void a_session_works_from_registration_to_logout() {
        String name = TestApp.newName();
        var registered = expect(201, app.register(name));
        assertEquals(name, registered.field("username"));

        var login = expect(200, app.login(name, TestApp.PASSWORD));
        assertEquals(name, login.field("username"));
        String first = login.field("token");
        assertExpiresWithItsToken(login);

        var me = expect(200, app.get("/api/auth/me", first));
        assertEquals(registered.json(), me.json());

        var verified = expect(200, app.verify(first));
        assertEquals("", verified.text());
        assertEquals(name, verified.header("X-Auth-User"));
        assertEquals(name, verified.header("Remote-User"));

        var refreshed = expect(200, app.refresh(first));
        String second = refreshed.field("token");
        assertExpiresWithItsToken(refreshed);
        assertNotEquals(first, second);
        expect(401, app.get("/api/auth/me", first));
        expect(200, app.get("/api/auth/me", second));

        expect(204, app.logout(second));
        expect(401, app.get("/api/auth/me", second));
        assertEquals(List.of(), app.liveKeys(name));
    }

    private static void assertExpiresWithItsToken(TestClient.Answer response) {
        Instant expires = Instant.parse(response.field("expiresDate"));
        Instant inRedis = Instant.now().plusMillis(app.redis().pttl(app.key(response.field("token"))));
        assertTrue(Duration.between(expires, inRedis).abs().toSeconds() < 5, expires + " and " + inRedis);
    }

    @Test
    void a_user_is_stored_exactly_in_the_documented_format() {
        String name = TestApp.newName();
        String created = app.register(name).field("createdDate");
        assertTrue(created.matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"), created);
        assertTrue(Duration.between(Instant.parse(created), Instant.now()).abs().toMinutes() < 5, created);
        String stored = app.redis().get("users:" + name);
        assertTrue(
                stored.matches("\\{\"username\":\"" + name
                        + "\",\"passwordHash\":\"\\$pbkdf2-sha256\\$i=1000\\$[A-Za-z0-9+/]{22}\\$[A-Za-z0-9+/]{43}\""
                        + ",\"createdDate\":\"" + created + "\"}"),
                stored);
        assertEquals(-1, app.redis().ttl("users:" + name));
    }

    @Test
    void a_token_is_stored_exactly_in_the_documented_format() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        boolean plain = storage.equals("plain");
        assertTrue(token.matches(plain ? UUID_V4 : "lk_[A-Za-z0-9_-]{43}"), token);
        assertEquals(name, app.redis().get(app.key(token)));
        assertTtl(token);
        String refreshed = app.refresh(token).field("token");
        assertEquals(name, app.redis().get(app.key(refreshed)));
        assertTtl(refreshed);
        assertNull(app.redis().get(app.key(token)));
    }

    @Test
    void a_token_without_the_prefix_of_its_format_is_invalid() {
        String bare = app.newToken().replace(storage.equals("plain") ? "-" : "lk_", "");
        app.redis().set(app.key(bare), "alice");
        expect(401, app.verify(bare));
    }

    private static void assertTtl(String token) {
        long ttl = app.redis().ttl(app.key(token));
        assertTrue(ttl > 1700 && ttl <= 1800, "TTL " + ttl);
    }

    @Test
    void expired_and_unknown_tokens_get_the_same_response() throws Exception {
        try (var shortLived = TestApp.start("TOKEN_STORAGE", storage, "TOKEN_TTL", "1")) {
            String token = shortLived.newToken();
            Load.await(() -> shortLived.redis().exists(shortLived.key(token)) == 0);
            var expired = shortLived.get("/api/auth/me", token);
            var unknown = shortLived.get("/api/auth/me", shortLived.unknownToken());
            expect(401, expired);
            assertEquals(unknown.text(), expired.text());
            assertEquals(unknown.header("WWW-Authenticate"), expired.header("WWW-Authenticate"));
        }
    }

    @Test
    void usernames_are_case_insensitive() {
        String name = TestApp.newName();
        assertEquals(name, app.register(name.toUpperCase(Locale.ROOT)).field("username"));
        expect(409, app.register(name));
        // The keyboards of phones add spaces.
        for (String typed : List.of(name.toUpperCase(Locale.ROOT), name + " ", "\u3000 " + name + "\t")) {
            assertEquals(name, expect(200, app.login(typed, TestApp.PASSWORD)).field("username"));
        }
        expect(400, app.register(TestApp.newName() + " "));
    }

    @Test
    void registering_a_taken_username_does_not_change_its_password() {
        String name = TestApp.newName();
        app.register(name);
        expect(409, app.register(name, "another password"));
        expect(401, app.login(name, "another password"));
        expect(200, app.login(name, TestApp.PASSWORD));
    }

    @Test
    void all_errors_of_a_registration_are_reported_in_one_response_and_nothing_is_stored() throws Exception {
        try (var strict = TestApp.start("PASSWORD_MIN_LENGTH", "20")) {
            String body = TestApp.credentials("Superman", "superman").replace("{", "{\"x\":1,");
            var response = expect(400, strict.send("POST", "/api/auth/register", body));
            var errors = response.json().get("errors");
            assertEquals(List.of("password", "password", "password", "x"), errors.findValuesAsString("field"));
            assertEquals(
                    List.of(
                            "must have 20–128 characters",
                            "must not be the username",
                            "must not be one of the most common passwords",
                            "is not a recognized field"),
                    errors.findValuesAsString("detail"));
            assertFalse(response.text().contains("uperman"), response.text());
            assertEquals(0, strict.redis().exists("users:superman"));
        }
    }

    @Test
    void a_password_is_neither_trimmed_nor_truncated() {
        String name = TestApp.newName();
        String password = " " + "p".repeat(126) + " ";
        expect(201, app.register(name, password));
        expect(401, app.login(name, password.strip()));
        expect(401, app.login(name, password.substring(0, 127)));
        expect(200, app.login(name, password));
    }

    @Test
    void composed_and_decomposed_characters_are_the_same_password() {
        String name = TestApp.newName();
        app.register(name, "caf\u00e9 au lait");
        expect(200, app.login(name, "cafe\u0301 au lait"));
    }

    @Test
    void the_token_of_a_deleted_user_gets_a_401_from_me() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.redis().del("users:" + name);
        expect(401, app.get("/api/auth/me", token));
        expect(401, app.login(name, TestApp.PASSWORD));
    }

    @Test
    void verify_sends_one_get_and_no_command_for_a_malformed_token() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var dedicated = TestApp.startOn(redis.url(), "TOKEN_STORAGE", storage)) {
            String token = dedicated.newToken();
            assertEquals(Map.of("get", 1L), dedicated.commandsOf(() -> dedicated.verify(token)));
            Runnable withBody = () -> dedicated.send("POST", "/api/auth/verify", token, "{\"any\":\"body\"}");
            assertEquals(Map.of("get", 1L), dedicated.commandsOf(withBody));
            for (String malformed : List.of("not-a-token", token + "x")) {
                assertEquals(Map.of(), dedicated.commandsOf(() -> dedicated.verify(malformed)));
            }
        }
    }

    @Test
    void a_login_sends_six_commands_and_two_more_if_it_evicts_the_oldest_session() throws Exception {
        String[] settings = {
            "TOKEN_STORAGE", storage,
            "LOGIN_THROTTLE", "true",
            "MAX_SESSIONS_PER_USER", "2",
        };
        try (var redis = EmbeddedRedis.start();
                var dedicated = TestApp.startOn(redis.url(), settings)) {
            String name = TestApp.newName();
            dedicated.newToken(name);
            // In this order: acquire the rate limit, read the user, write the token, write the index, read the user
            // again, and reset the rate limit with a script that calls HDEL.
            Map<String, Long> ordinary = Map.of("eval", 3L, "get", 2L, "set", 1L, "hdel", 1L);
            assertEquals(ordinary, commandsOfLogin(dedicated, name));
            Map<String, Long> evicting = Map.of("eval", 3L, "get", 2L, "set", 1L, "hdel", 2L, "del", 1L);
            assertEquals(evicting, commandsOfLogin(dedicated, name));
            assertEquals(evicting, commandsOfLogin(dedicated, name));
        }
    }

    /** Returns the number of calls per command, without the commands that only scripts call. */
    private static Map<String, Long> commandsOfLogin(TestApp dedicated, String name) {
        var sent = dedicated.commandsOf(() -> expect(200, dedicated.login(name, TestApp.PASSWORD)));
        sent.keySet().removeAll(Set.of("hset", "hget", "hincrby", "pttl", "pexpire", "expire", "hlen", "hgetall"));
        return sent;
    }
}
