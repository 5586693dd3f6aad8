package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The life of users and tokens, as HTTP clients see it and as Redis stores it. */
@CsvSource({"plain, one", "hashed, one", "plain, acl", "hashed, tls", "plain, sentinel", "hashed, cluster"})
class LifecycleTest extends StorageMatrix {
    private static final String UUID_V4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

    @Test
    void a_session_works_from_registration_to_logout() {
        String name = TestApp.newName();
        var registered = app.register(name);
        assertEquals(201, registered.status());
        assertEquals(name, registered.field("username"));

        var login = app.login(name, TestApp.PASSWORD);
        assertEquals(200, login.status());
        assertEquals(name, login.field("username"));
        String first = login.field("token");
        assertExpiresWithItsToken(login);

        var me = app.get("/api/auth/me", first);
        assertEquals(200, me.status());
        assertEquals(registered.json(), me.json());

        var verified = app.get("/api/auth/verify", first);
        assertEquals(200, verified.status());
        assertEquals("", verified.text());
        assertEquals(name, verified.header("X-Auth-User"));
        assertEquals(name, verified.header("Remote-User"));

        var refreshed = app.send("POST", "/api/auth/refresh", first, "");
        assertEquals(200, refreshed.status());
        String second = refreshed.field("token");
        assertExpiresWithItsToken(refreshed);
        assertNotEquals(first, second);
        assertEquals(401, app.get("/api/auth/me", first).status());
        assertEquals(200, app.get("/api/auth/me", second).status());

        assertEquals(204, app.send("POST", "/api/auth/logout", second, "").status());
        assertEquals(401, app.get("/api/auth/me", second).status());
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
        String refreshed = app.send("POST", "/api/auth/refresh", token, "").field("token");
        assertEquals(name, app.redis().get(app.key(refreshed)));
        assertTtl(refreshed);
        assertNull(app.redis().get(app.key(token)));
    }

    @Test
    void a_token_without_the_prefix_of_its_format_is_invalid() {
        String bare = app.newToken().replace(storage.equals("plain") ? "-" : "lk_", "");
        app.redis().set(app.key(bare), "alice");
        assertEquals(401, app.get("/api/auth/verify", bare).status());
    }

    private static void assertTtl(String token) {
        long ttl = app.redis().ttl(app.key(token));
        assertTrue(ttl > 1700 && ttl <= 1800, "TTL " + ttl);
    }

    @Test
    void a_token_that_another_program_stored_is_valid() {
        String name = TestApp.newName();
        app.register(name);
        String token = app.foreignToken(name);
        assertEquals(name, app.get("/api/auth/verify", token).header("X-Auth-User"));
        assertEquals(200, app.send("POST", "/api/auth/refresh", token, "").status());
        assertEquals(401, app.get("/api/auth/verify", token).status());
    }

    @Test
    void a_user_that_another_program_stored_can_log_in() {
        String name = TestApp.newName();
        app.register(name);
        String other = TestApp.newName();
        app.redis()
                .set(
                        "users:" + other,
                        app.redis().get("users:" + name).replace(name, other).replace("}", ",\"email\":null}"));
        assertEquals(200, app.login(other, TestApp.PASSWORD).status());
    }

    @Test
    void a_user_record_without_a_usable_hash_allows_no_login() {
        String name = TestApp.newName();
        app.redis()
                .set(
                        "users:" + name,
                        "{\"username\":\"" + name
                                + "\",\"passwordHash\":\"plain\",\"createdDate\":\"2026-03-19T12:00:00.000Z\"}");
        assertEquals(401, app.login(name, "plain").status());
    }

    @Test
    void expired_and_unknown_tokens_get_the_same_response() throws Exception {
        try (var shortLived = TestApp.start("TOKEN_STORAGE", storage, "TOKEN_TTL", "1")) {
            String token = shortLived.newToken();
            var deadline = Instant.now().plusSeconds(10);
            while (shortLived.redis().exists(shortLived.key(token)) == 1) {
                assertTrue(Instant.now().isBefore(deadline), "the token's key did not expire");
                Thread.onSpinWait();
            }
            var expired = shortLived.get("/api/auth/me", token);
            var unknown = shortLived.get("/api/auth/me", shortLived.unknownToken());
            assertEquals(401, expired.status());
            assertEquals(unknown.text(), expired.text());
            assertEquals(unknown.header("WWW-Authenticate"), expired.header("WWW-Authenticate"));
        }
    }

    @Test
    void usernames_are_case_insensitive() {
        String name = TestApp.newName();
        assertEquals(name, app.register(name.toUpperCase(Locale.ROOT)).field("username"));
        assertEquals(409, app.register(name).status());
        var login = app.login(name.toUpperCase(Locale.ROOT), TestApp.PASSWORD);
        assertEquals(name, login.field("username"));
    }

    @Test
    void registering_a_taken_username_does_not_change_its_password() {
        String name = TestApp.newName();
        app.register(name);
        var again = app.send("POST", "/api/auth/register", TestApp.credentials(name, "another password"));
        assertEquals(409, again.status());
        assertEquals(401, app.login(name, "another password").status());
        assertEquals(200, app.login(name, TestApp.PASSWORD).status());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "wrong horse battery",
                "correct horse batter",
                "Correct horse battery",
                " correct horse battery"
            })
    void wrong_password_and_unknown_username_get_the_same_response(String password) {
        String name = TestApp.newName();
        app.register(name);
        var wrong = app.login(name, password);
        assertEquals(401, wrong.status());
        assertEquals("Bearer realm=\"latchkey\"", wrong.header("WWW-Authenticate"));
        for (String unknown : List.of(TestApp.newName(), "", "no name at all", "x".repeat(2000))) {
            var response = app.login(unknown, password);
            assertEquals(wrong.status(), response.status());
            assertEquals(wrong.text(), response.text());
            assertEquals(wrong.header("WWW-Authenticate"), response.header("WWW-Authenticate"));
        }
        assertEquals(List.of(), app.liveKeys(name));
    }

    @Test
    void all_errors_of_a_registration_are_reported_in_one_response() {
        var response = app.send(
                "POST", "/api/auth/register", "{\"username\":\"!\",\"password\":\"short\",\"role\":\"admin\"}");
        assertEquals(400, response.status());
        assertEquals(
                List.of("username", "password", "role"),
                response.json().get("errors").findValuesAsString("field"));
    }

    @Test
    void all_errors_of_one_password_are_reported_in_one_response() throws Exception {
        try (var strict = TestApp.start("PASSWORD_MIN_LENGTH", "20")) {
            var response = strict.send(
                    "POST",
                    "/api/auth/register",
                    TestApp.credentials("Superman", "superman").replace("{", "{\"x\":1,"));
            assertEquals(400, response.status());
            var details = response.json().get("errors").findValuesAsString("detail");
            assertEquals(2, details.size(), response.text());
            assertTrue(
                    details.contains("must have 20–128 characters, must not be the username,"
                            + " must not be one of the most common passwords"),
                    response.text());
        }
    }

    @Test
    void a_password_equal_to_the_username_is_rejected() {
        String name = TestApp.newName();
        var response = app.send("POST", "/api/auth/register", TestApp.credentials(name, name.toUpperCase(Locale.ROOT)));
        assertEquals(400, response.status());
        assertEquals(0, app.redis().exists("users:" + name));
    }

    @Test
    void a_password_is_neither_trimmed_nor_truncated() {
        String name = TestApp.newName();
        String password = " " + "p".repeat(126) + " ";
        assertEquals(
                201,
                app.send("POST", "/api/auth/register", TestApp.credentials(name, password))
                        .status());
        assertEquals(401, app.login(name, password.strip()).status());
        assertEquals(401, app.login(name, password.substring(0, 127)).status());
        assertEquals(200, app.login(name, password).status());
    }

    @Test
    void composed_and_decomposed_characters_are_the_same_password() {
        String name = TestApp.newName();
        app.send("POST", "/api/auth/register", TestApp.credentials(name, "caf\u00e9 au lait"));
        assertEquals(200, app.login(name, "cafe\u0301 au lait").status());
    }

    @Test
    void the_token_of_a_deleted_user_gets_a_401_from_me() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.redis().del("users:" + name);
        assertEquals(401, app.get("/api/auth/me", token).status());
        assertEquals(401, app.login(name, TestApp.PASSWORD).status());
    }

    @Test
    void verify_sends_one_get_and_no_command_for_a_malformed_token() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var dedicated = TestApp.startOn(redis.url(), "TOKEN_STORAGE", storage)) {
            String token = dedicated.newToken();
            String before = dedicated.redis().info("commandstats");
            dedicated.get("/api/auth/verify", token);
            dedicated.get("/api/auth/verify", "not-a-token");
            dedicated.get("/api/auth/verify", token + "x");
            dedicated.send("POST", "/api/auth/verify", token, "{\"any\":\"body\"}");
            String after = dedicated.redis().info("commandstats");
            assertEquals(calls(before, "get") + 2, calls(after, "get"));
            assertEquals(total(before) + 3, total(after), "expected two GET commands and the first INFO");
        }
    }

    @Test
    void a_login_sends_six_commands_and_two_more_if_it_evicts_the_oldest_session() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var dedicated = TestApp.startOn(
                        redis.url(),
                        "TOKEN_STORAGE",
                        storage,
                        "LOGIN_THROTTLE",
                        "true",
                        "MAX_SESSIONS_PER_USER",
                        "2")) {
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

    /** Returns the number of calls per command, without the commands that scripts call, which Redis counts as well. */
    private static Map<String, Long> commandsOfLogin(TestApp dedicated, String name) {
        dedicated.redis().configResetstat();
        assertEquals(200, dedicated.login(name, TestApp.PASSWORD).status());
        String after = dedicated.redis().info("commandstats");
        Map<String, Long> sent = new TreeMap<>();
        Matcher command = Pattern.compile("cmdstat_([^:]+):calls=(\\d+)").matcher(after);
        while (command.find()) {
            sent.put(command.group(1), Long.parseLong(command.group(2)));
        }
        sent.keySet().removeAll(Set.of("hset", "hget", "hincrby", "pttl", "pexpire", "expire", "hlen", "hgetall"));
        sent.keySet().remove("config|resetstat");
        return sent;
    }

    private static long calls(String stats, String command) {
        return stats.lines()
                .filter(line -> line.startsWith("cmdstat_" + command + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll(".*:calls=(\\d+),.*", "$1")))
                .sum();
    }

    private static long total(String stats) {
        return stats.lines()
                .filter(line -> line.startsWith("cmdstat_"))
                .mapToLong(line -> Long.parseLong(line.replaceAll(".*:calls=(\\d+),.*", "$1")))
                .sum();
    }

    @Test
    void no_response_about_a_user_contains_the_password_hash() {
        String name = TestApp.newName();
        var registered = app.register(name);
        String token = app.login(name, TestApp.PASSWORD).field("token");
        assertFalse(registered.text().contains("pbkdf2"));
        assertFalse(app.get("/api/auth/me", token).text().contains("pbkdf2"));
    }
}
