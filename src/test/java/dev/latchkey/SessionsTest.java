package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.Topology;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** How a user lists and ends sessions. */
@CsvSource({"plain, one", "hashed, one", "plain, acl", "hashed, tls", "plain, sentinel", "hashed, cluster"})
class SessionsTest extends StorageMatrix {
    private static List<JsonNode> sessions(TestClient app, String token) {
        var response = expect(200, app.get("/api/auth/sessions", token));
        return response.json().get("sessions").valueStream().toList();
    }

    private static List<String> ids(TestClient app, String token) {
        return sessions(app, token).stream()
                .map(session -> session.get("id").asString())
                .toList();
    }

    private static String currentId(TestClient app, String token) {
        return sessions(app, token).stream()
                .filter(session -> session.get("current").asBoolean())
                .map(session -> session.get("id").asString())
                .collect(Collectors.joining());
    }

    private static String login(TestClient app, String name) {
        return app.login(name, TestApp.PASSWORD).field("token");
    }

    @Test
    void a_login_starts_a_session_that_shows_its_dates_and_its_client() {
        String name = TestApp.newName();
        app.register(name);
        String token = login(app.with("User-Agent", "curl/8.14.1"), name);
        JsonNode session = sessions(app, token).getFirst();
        assertEquals("curl/8.14.1", session.get("userAgent").asString());
        assertEquals("127.0.0.1", session.get("address").asString());
        assertTrue(session.get("current").asBoolean());
        Instant created = Instant.parse(session.get("createdDate").asString());
        assertTrue(Duration.between(created, Instant.now()).abs().toMinutes() < 5);
        Instant expires = Instant.parse(session.get("expiresDate").asString());
        assertEquals(created.plusSeconds(1800), expires);
    }

    @Test
    void sessions_are_listed_newest_first_and_each_token_sees_its_own_session_as_current() {
        String name = TestApp.newName();
        app.register(name);
        List<String> tokens = new ArrayList<>();
        List<String> oldestFirst = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            String token = login(app, name);
            tokens.add(token);
            oldestFirst.add(currentId(app, token));
            Instant created = Instant.now();
            while (!Instant.now().isAfter(created.plusMillis(1))) {
                Thread.onSpinWait();
            }
        }
        assertEquals(oldestFirst.reversed(), ids(app, tokens.getFirst()));
        for (int i = 0; i < 4; i++) {
            assertEquals(oldestFirst.get(i), currentId(app, tokens.get(i)));
        }
    }

    @Test
    void a_refresh_keeps_the_session_id_and_creation_date_and_extends_the_expiry() {
        String token = app.newToken();
        JsonNode before = sessions(app, token).getFirst();
        for (int i = 0; i < 3; i++) {
            token = app.with("User-Agent", "v2").refresh(token).field("token");
        }
        assertEquals(1, sessions(app, token).size());
        JsonNode after = sessions(app, token).getFirst();
        assertEquals(before.get("id"), after.get("id"));
        assertEquals(before.get("createdDate"), after.get("createdDate"));
        String expires = after.get("expiresDate").asString();
        assertTrue(expires.compareTo(before.get("expiresDate").asString()) > 0, expires);
        assertEquals("v2", after.get("userAgent").asString()); // that of the client that refreshed the token
        assertTrue(after.get("current").asBoolean());
    }

    @Test
    void a_session_id_does_not_reveal_the_token() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String id = currentId(app, token);
        expect(401, app.verify(id));
        String key = app.liveKeys(name).getFirst();
        assertFalse(key.contains(id) || token.contains(id) || id.contains(token), id);
        assertFalse(app.get("/api/auth/sessions", token).text().contains(key.substring("tokens:".length())));
        assertNotEquals(id, currentId(app, login(app, name)));
    }

    // The session started so many seconds ago, at most 1,000 s after which it ends.
    private static TestClient.Answer refreshOld(TestApp service, String token, String name, int age) {
        String index = "sessions:" + name;
        String field = service.key(token).substring("tokens:".length());
        String start =
                Instant.now().minusSeconds(age).truncatedTo(ChronoUnit.MILLIS).toString();
        String entry = service.redis().hget(index, field);
        service.redis().hset(index, field, entry.replaceFirst("(\"createdDate\":\")[^\"]*", "$1" + start));
        return service.refresh(token);
    }

    @Test
    void a_refreshed_token_lives_at_most_until_the_session_is_too_old() throws Exception {
        try (var aged = TestApp.start("TOKEN_STORAGE", storage, "TOKEN_TTL", "600", "SESSION_MAX_AGE", "1000")) {
            String name = TestApp.newName();
            var refreshed = refreshOld(aged, aged.newToken(name), name, 900);
            String token = refreshed.field("token");
            long ttl = aged.redis().ttl(aged.key(token));
            assertTrue(ttl > 80 && ttl <= 100, "TTL: " + ttl);
            Instant expires = Instant.parse(refreshed.field("expiresDate"));
            assertTrue(expires.isBefore(Instant.now().plusSeconds(101)), expires::toString);
            String again = aged.refresh(token).field("token");
            assertTrue(aged.redis().ttl(aged.key(again)) <= 100, "A second refresh must not extend the session.");
            for (int age : new int[] {1000, 2_000_000_000}) {
                expect(401, refreshOld(aged, again, name, age));
            }
            assertEquals(200, aged.verify(again).status(), "Only the refresh must be refused.");
            assertEquals(1, aged.liveKeys(name).size());
            String newToken = login(aged, name);
            assertTrue(aged.redis().ttl(aged.key(newToken)) > 500, "A login must start a new session.");
        }
    }

    @Test
    void the_session_index_is_stored_as_documented() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        var index = app.redis().hgetall("sessions:" + name);
        assertEquals(Set.of(app.key(token).substring("tokens:".length())), index.keySet());
        String date = "\"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\"";
        String entry = index.values().iterator().next();
        assertTrue(
                entry.matches("\\{\"id\":\"[A-Za-z0-9_-]{22}\",\"createdDate\":" + date + ",\"expiresDate\":" + date
                        + ",\"userAgent\":\"[^\"]*\",\"address\":\"127.0.0.1\"}"),
                entry);
        long ttl = app.redis().ttl("sessions:" + name);
        assertTrue(ttl > 1700 && ttl <= 1800, "TTL: " + ttl);
        app.redis().expire("sessions:" + name, 5000);
        login(app, name);
        assertTrue(app.redis().ttl("sessions:" + name) > 1800, "A login must not shorten the TTL of the index.");
        app.redis().expire("sessions:" + name, 5);
        app.refresh(token);
        assertTrue(app.redis().ttl("sessions:" + name) > 5, "The index must not expire before its token.");
    }

    @Test
    void ending_one_session_leaves_the_others_valid() {
        String name = TestApp.newName();
        String first = app.newToken(name);
        String second = login(app, name);
        String id = currentId(app, first);
        expect(204, app.send("DELETE", "/api/auth/sessions/" + id, second, ""));
        expect(401, app.verify(first));
        expect(200, app.verify(second));
        assertEquals(1, ids(app, second).size());
        expect(404, app.send("DELETE", "/api/auth/sessions/" + id, second, ""));
        assertEquals(List.of(app.key(second)), app.liveKeys(name));
    }

    @Test
    void the_session_of_another_user_is_treated_as_nonexistent_and_stays_valid() {
        String token = app.newToken();
        String id = currentId(app, token);
        String other = app.newToken();
        var response = app.send("DELETE", "/api/auth/sessions/" + id, other, "");
        var unknown = app.send("DELETE", "/api/auth/sessions/nothing", other, "");
        expect(404, response);
        assertEquals(unknown.text(), response.text());
        expect(200, app.verify(token));
    }

    @Test
    void logout_everywhere_ends_all_sessions_including_the_callers() {
        String name = TestApp.newName();
        app.register(name);
        List<String> tokens = List.of(login(app, name), login(app, name), login(app, name));
        String bystander = app.newToken();
        expect(204, app.send("DELETE", "/api/auth/sessions", tokens.get(1), ""));
        for (String token : tokens) {
            expect(401, app.verify(token));
        }
        assertEquals(List.of(), app.liveKeys(name));
        assertEquals(0, app.redis().exists("sessions:" + name));
        expect(200, app.verify(bystander));
        expect(200, app.login(name, TestApp.PASSWORD));
    }

    /** The session index has no entry for such a token. */
    @Test
    void a_token_stored_by_another_program_lists_the_sessions_and_ends_together_with_them() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String foreignToken = app.foreignToken(name);
        assertEquals("", currentId(app, foreignToken));
        assertEquals(ids(app, token), ids(app, foreignToken));
        String refreshed = app.refresh(foreignToken).field("token");
        assertEquals(2, ids(app, refreshed).size(), "A refresh must add the token to the index.");
        String secondForeignToken = app.foreignToken(name);
        expect(204, app.send("DELETE", "/api/auth/sessions", secondForeignToken, ""));
        assertEquals(List.of(), app.liveKeys(name));
    }

    @Test
    void an_index_entry_without_its_token_is_not_listed_and_is_deleted() {
        String name = TestApp.newName();
        String deletedToken = app.newToken(name);
        String token = login(app, name);
        app.redis().del(app.key(deletedToken));
        assertEquals(1, ids(app, token).size());
        assertEquals(1, app.redis().hlen("sessions:" + name));
    }

    @Test
    void a_login_above_the_session_limit_ends_the_oldest_session() throws Exception {
        try (var limited = TestApp.start("TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", "3")) {
            String name = TestApp.newName();
            String first = limited.newToken(name);
            String second = login(limited, name);
            String third = login(limited, name);
            String refreshedFirst = limited.refresh(first).field("token");
            for (String token : List.of(refreshedFirst, second, third)) { // a refresh does not start a session
                expect(200, limited.verify(token));
            }
            String fourth = login(limited, name);
            expect(401, limited.verify(refreshedFirst)); // the session that started first, even though it was refreshed
            for (String token : List.of(second, third, fourth)) {
                expect(200, limited.verify(token));
            }
            assertEquals(3, ids(limited, fourth).size());
            assertEquals(3, limited.redis().hlen("sessions:" + name));
        }
    }

    @Test
    void concurrent_logins_cannot_exceed_the_session_limit() throws Exception {
        try (var limited = TestApp.start("TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", "3")) {
            String name = TestApp.newName();
            limited.register(name);
            var responses = TestApp.concurrently(12, () -> limited.login(name, TestApp.PASSWORD));
            assertTrue(responses.stream().allMatch(response -> response.status() == 200));
            int validTokens = limited.liveKeys(name).size();
            assertTrue(validTokens >= 1 && validTokens <= 3, "Valid tokens: " + validTokens);
            assertEquals(validTokens, limited.redis().hlen("sessions:" + name));
        }
    }

    @Test
    void expired_sessions_are_evicted_before_valid_sessions() throws Exception {
        try (var limited = TestApp.start("TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", "2")) {
            String name = TestApp.newName();
            String validToken = limited.newToken(name);
            limited.redis()
                    .hset(
                            "sessions:" + name,
                            "d6ad7dae-c147-4513-a58b-2a2516cff3b7",
                            "{\"id\":\"x\",\"createdDate\":\"2126-03-19T12:00:00.000Z\",\"expiresDate\":"
                                    + "\"2020-03-19T12:00:00.000Z\",\"userAgent\":\"\",\"address\":\"\"}");
            login(limited, name);
            expect(200, limited.verify(validToken));
            assertEquals(2, limited.redis().hlen("sessions:" + name));
        }
    }

    @Test
    void a_user_agent_is_truncated_and_stripped_of_control_characters() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        String body = TestApp.credentials(name, TestApp.PASSWORD);
        String head = RawClient.head(
                "POST /api/auth/login",
                "Content-Type: application/json",
                "Content-Length: " + body.length(),
                "User-Agent: a\u0000\u001b[31m\u0085\u007fb" + "x".repeat(300));
        String raw = new RawClient(app.port()).exchange(head + body);
        String token = raw.replaceAll("(?s).*\"token\":\"([^\"]*)\".*", "$1");
        assertEquals(
                "a[31mb" + "x".repeat(250),
                sessions(app, token).getFirst().get("userAgent").asString());
    }

    /** If the header contains no valid address at the trusted position, the address of the TCP peer is used. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0 | 203.0.113.7                         | 127.0.0.1",
                "1 | 203.0.113.7                         | 203.0.113.7",
                "1 | 198.51.100.1, 203.0.113.7           | 203.0.113.7",
                "2 | 198.51.100.1, 203.0.113.7           | 198.51.100.1",
                "2 | 1.1.1.1, 198.51.100.1,203.0.113.7   | 198.51.100.1",
                "2 | 203.0.113.7                         | 127.0.0.1",
                "1 | 203.0.113.7:4711                    | 203.0.113.7",
                "1 | 2001:DB8:0:0:0:0:0:1                | 2001:db8::1",
                "1 | [2001:db8::1]:4711                  | 2001:db8::1",
                "1 | ::ffff:203.0.113.7                  | 203.0.113.7",
                "1 | fe80::1%eth0                        | fe80::1",
                "1 | unknown                             | 127.0.0.1",
                "1 | _secret                             | 127.0.0.1",
                "1 | localhost                           | 127.0.0.1",
                "1 | 203.0.113.7,                        | 127.0.0.1",
                "1 | ''                                  | 127.0.0.1",
                "1 | 999.0.0.1                           | 127.0.0.1",
                "1 | 1                                   | 127.0.0.1",
                "1 | 203.0.113                           | 127.0.0.1",
                "1 | 2001:0:0:1:0:0:0:1                  | 2001:0:0:1::1",
                "1 | 2001:db8:0:1:1:1:1:1                | 2001:db8:0:1:1:1:1:1",
                "1 | 0:0:0:0:0:0:0:0                     | ::",
            })
    void the_client_address_is_the_one_that_the_outermost_trusted_proxy_saw(
            String hops, String forwarded, String address) throws Exception {
        try (var proxied = TestApp.start("TOKEN_STORAGE", storage, "TRUSTED_PROXY_HOPS", hops)) {
            String name = TestApp.newName();
            proxied.register(name);
            String token = login(proxied.from(forwarded), name);
            assertEquals(
                    address, sessions(proxied, token).getFirst().get("address").asString());
        }
    }

    @Test
    void a_token_of_either_storage_is_valid_for_both_settings_and_can_be_refreshed_and_ended() throws Exception {
        String otherStorage = storage.equals("plain") ? "hashed" : "plain";
        try (var other = TestApp.startOn(Topology.of(redis), "TOKEN_STORAGE", otherStorage)) {
            String name = TestApp.newName();
            String oldToken = app.newToken(name);
            String id = currentId(app, oldToken);
            expect(200, other.verify(oldToken));
            String newToken = login(other, name);
            assertEquals(storage.equals("plain"), newToken.startsWith("lk_"));
            assertTrue(ids(other, newToken).contains(id), "Both settings must show the same session id.");
            expect(204, other.send("DELETE", "/api/auth/sessions/" + id, newToken, ""));
            expect(401, app.verify(oldToken));
            String refreshed = other.refresh(app.newToken(name + "-2")).field("token");
            assertEquals(storage.equals("plain"), refreshed.startsWith("lk_"));
            expect(204, app.logout(refreshed));
            expect(401, other.verify(refreshed));
        }
    }
}
