package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.Topology;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** What a user sees of their sessions, and ends. */
@CsvSource({"plain, one", "hashed, one", "plain, acl", "hashed, tls", "plain, sentinel", "hashed, cluster"})
class SessionsTest extends StorageMatrix {
    private static List<JsonNode> sessions(TestApp app, String token) {
        var answer = app.get("/api/auth/sessions", token);
        assertEquals(200, answer.status());
        return StreamSupport.stream(answer.json().get("sessions").spliterator(), false)
                .toList();
    }

    private static List<String> ids(TestApp app, String token) {
        return sessions(app, token).stream()
                .map(session -> session.get("id").asString())
                .toList();
    }

    private static String currentId(TestApp app, String token) {
        return sessions(app, token).stream()
                .filter(session -> session.get("current").asBoolean())
                .map(session -> session.get("id").asString())
                .collect(Collectors.joining());
    }

    private static String login(TestApp app, String name, String... headers) {
        return app.send("POST", "/api/auth/login", TestApp.credentials(name, TestApp.PASSWORD), headers)
                .field("token");
    }

    @Test
    void a_login_begins_a_session_that_tells_when_and_from_where() {
        String name = TestApp.newName();
        app.register(name);
        String token = login(app, name, "User-Agent", "curl/8.14.1");
        JsonNode session = sessions(app, token).getFirst();
        assertEquals(
                Set.of("id", "createdDate", "expiresDate", "userAgent", "address", "current"),
                Set.copyOf(session.propertyNames()));
        assertEquals("curl/8.14.1", session.get("userAgent").asString());
        assertEquals("127.0.0.1", session.get("address").asString());
        assertTrue(session.get("current").asBoolean());
        Instant created = Instant.parse(session.get("createdDate").asString());
        assertTrue(Duration.between(created, Instant.now()).abs().toMinutes() < 5);
        assertEquals(
                created.plusSeconds(1800),
                Instant.parse(session.get("expiresDate").asString()));
        assertEquals(24, session.get("createdDate").asString().length());
    }

    @Test
    void the_newest_is_first_and_each_sees_itself_as_current() {
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
    void an_id_stays_over_all_refreshes_and_only_the_expiry_moves() {
        String token = app.newToken();
        JsonNode before = sessions(app, token).getFirst();
        for (int i = 0; i < 3; i++) {
            token = app.send("POST", "/api/auth/refresh", "", "Authorization", "Bearer " + token, "User-Agent", "v2")
                    .field("token");
        }
        assertEquals(1, sessions(app, token).size());
        JsonNode after = sessions(app, token).getFirst();
        assertEquals(before.get("id"), after.get("id"));
        assertEquals(before.get("createdDate"), after.get("createdDate"));
        assertTrue(after.get("expiresDate")
                        .asString()
                        .compareTo(before.get("expiresDate").asString())
                > 0);
        assertEquals("v2", after.get("userAgent").asString(), "of the client that has the token now");
        assertTrue(after.get("current").asBoolean());
    }

    @Test
    void an_id_is_no_way_to_a_token() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String id = currentId(app, token);
        assertEquals(401, app.get("/api/auth/verify", id).status());
        String key = app.liveKeys(name).getFirst();
        assertFalse(key.contains(id) || token.contains(id) || id.contains(token), "the id is part of the token");
        assertFalse(app.get("/api/auth/sessions", token).text().contains(key.substring("tokens:".length())));
        assertNotEquals(id, currentId(app, login(app, name)));
    }

    @Test
    void the_index_is_stored_as_documented() {
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
        assertTrue(ttl > 1700 && ttl <= 1800, "TTL " + ttl);
        app.redis().expire("sessions:" + name, 5000);
        login(app, name);
        assertTrue(app.redis().ttl("sessions:" + name) > 1800, "a younger token's life was cut");
        app.redis().expire("sessions:" + name, 5);
        app.send("POST", "/api/auth/refresh", token, "");
        assertTrue(app.redis().ttl("sessions:" + name) > 5, "the index would die before its token");
    }

    @Test
    void one_session_ends_and_the_others_go_on() {
        String name = TestApp.newName();
        String first = app.newToken(name);
        String second = login(app, name);
        String id = currentId(app, first);
        assertEquals(
                204, app.send("DELETE", "/api/auth/sessions/" + id, second, "").status());
        assertEquals(401, app.get("/api/auth/verify", first).status());
        assertEquals(204, app.get("/api/auth/verify", second).status());
        assertEquals(1, ids(app, second).size());
        assertEquals(
                404, app.send("DELETE", "/api/auth/sessions/" + id, second, "").status());
        assertEquals(List.of(app.key(second)), app.liveKeys(name));
    }

    @Test
    void anothers_session_is_like_one_that_does_not_exist_and_goes_on() {
        String token = app.newToken();
        String id = currentId(app, token);
        String other = app.newToken();
        var answer = app.send("DELETE", "/api/auth/sessions/" + id, other, "");
        var unknown = app.send("DELETE", "/api/auth/sessions/nothing", other, "");
        assertEquals(404, answer.status());
        assertEquals(unknown.text(), answer.text());
        assertEquals(204, app.get("/api/auth/verify", token).status());
    }

    @Test
    void log_out_everywhere_ends_every_session_the_callers_too() {
        String name = TestApp.newName();
        app.register(name);
        List<String> tokens = List.of(login(app, name), login(app, name), login(app, name));
        String bystander = app.newToken();
        assertEquals(
                204, app.send("DELETE", "/api/auth/sessions", tokens.get(1), "").status());
        for (String token : tokens) {
            assertEquals(401, app.get("/api/auth/verify", token).status());
        }
        assertEquals(List.of(), app.liveKeys(name));
        assertEquals(0, app.redis().exists("sessions:" + name));
        assertEquals(204, app.get("/api/auth/verify", bystander).status());
        assertEquals(200, app.login(name, TestApp.PASSWORD).status());
    }

    /** It has no entry in the index. */
    @Test
    void a_token_that_another_program_wrote_sees_the_sessions_and_ends_itself_with_them() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String foreign = app.foreignToken(name);
        assertEquals("", currentId(app, foreign));
        assertEquals(ids(app, token), ids(app, foreign));
        String refreshed = app.send("POST", "/api/auth/refresh", foreign, "").field("token");
        assertEquals(2, ids(app, refreshed).size(), "from now on it has one");
        String foreign2 = app.foreignToken(name);
        assertEquals(204, app.send("DELETE", "/api/auth/sessions", foreign2, "").status());
        assertEquals(List.of(), app.liveKeys(name));
    }

    @Test
    void a_logout_leaves_no_entry() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.send("POST", "/api/auth/logout", token, "");
        assertEquals(0, app.redis().exists("sessions:" + name));
    }

    @Test
    void an_entry_that_has_outlived_its_token_is_not_listed_and_goes() {
        String name = TestApp.newName();
        String dead = app.newToken(name);
        String token = login(app, name);
        app.redis().del(app.key(dead));
        assertEquals(1, ids(app, token).size());
        assertEquals(1, app.redis().hlen("sessions:" + name));
    }

    @Test
    void one_session_too_many_ends_the_oldest() throws Exception {
        try (var capped = TestApp.start("TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", "3")) {
            String name = TestApp.newName();
            String first = capped.newToken(name);
            String second = login(capped, name);
            String third = login(capped, name);
            String renewed = capped.send("POST", "/api/auth/refresh", first, "").field("token");
            for (String token : List.of(renewed, second, third)) {
                assertEquals(204, capped.get("/api/auth/verify", token).status(), "a refresh is no new session");
            }
            String fourth = login(capped, name);
            assertEquals(
                    401, capped.get("/api/auth/verify", renewed).status(), "the oldest is the one that began first");
            for (String token : List.of(second, third, fourth)) {
                assertEquals(204, capped.get("/api/auth/verify", token).status());
            }
            assertEquals(3, ids(capped, fourth).size());
            assertEquals(3, capped.redis().hlen("sessions:" + name));
        }
    }

    @Test
    void the_cap_on_sessions_holds_against_many_logins_at_once() throws Exception {
        try (var capped = TestApp.start("TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", "3")) {
            String name = TestApp.newName();
            capped.register(name);
            var answers = TestApp.concurrently(12, () -> capped.login(name, TestApp.PASSWORD));
            assertTrue(answers.stream().allMatch(answer -> answer.status() == 200));
            int live = capped.liveKeys(name).size();
            assertTrue(live >= 1 && live <= 3, "live: " + live);
            assertEquals(live, capped.redis().hlen("sessions:" + name));
        }
    }

    @Test
    void entries_whose_tokens_have_expired_make_room_first() throws Exception {
        try (var capped = TestApp.start("TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", "2")) {
            String name = TestApp.newName();
            String live = capped.newToken(name);
            capped.redis()
                    .hset(
                            "sessions:" + name,
                            "d6ad7dae-c147-4513-a58b-2a2516cff3b7",
                            "{\"id\":\"x\",\"createdDate\":\"2126-03-19T12:00:00.000Z\",\"expiresDate\":"
                                    + "\"2020-03-19T12:00:00.000Z\",\"userAgent\":\"\",\"address\":\"\"}");
            login(capped, name);
            assertEquals(204, capped.get("/api/auth/verify", live).status());
            assertEquals(2, capped.redis().hlen("sessions:" + name));
        }
    }

    @Test
    void a_user_agent_is_cut_and_freed_of_control_characters() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        String body = TestApp.credentials(name, TestApp.PASSWORD);
        String raw = new RawClient(app.port())
                .exchange(
                        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
                                + body.length() + "\r\nUser-Agent: a\u0000\u001b[31m\u0085\u007fb" + "x".repeat(300)
                                + "\r\n\r\n" + body);
        String token = raw.replaceAll("(?s).*\"token\":\"([^\"]*)\".*", "$1");
        assertEquals(
                "a[31mb" + "x".repeat(250),
                sessions(app, token).getFirst().get("userAgent").asString());
    }

    /** What is not an address is not one: then it is the address of whoever connected. */
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
            })
    void the_address_is_the_one_that_the_outermost_trusted_proxy_saw(String hops, String forwarded, String address)
            throws Exception {
        try (var proxied = TestApp.start("TOKEN_STORAGE", storage, "TRUSTED_PROXY_HOPS", hops)) {
            String name = TestApp.newName();
            proxied.register(name);
            String token = login(proxied, name, "X-Forwarded-For", forwarded);
            assertEquals(
                    address, sessions(proxied, token).getFirst().get("address").asString());
        }
    }

    @Test
    void a_change_of_the_storage_ends_tokens_but_the_sessions_can_still_be_seen_and_ended() throws Exception {
        try (var other =
                TestApp.startOn(Topology.of(redis), "TOKEN_STORAGE", storage.equals("plain") ? "hashed" : "plain")) {
            String name = TestApp.newName();
            String before = app.newToken(name);
            String id = currentId(app, before);
            assertEquals(401, other.get("/api/auth/verify", before).status());
            String after = login(other, name);
            assertTrue(ids(other, after).contains(id), "the same id in both");
            assertEquals(
                    204,
                    other.send("DELETE", "/api/auth/sessions/" + id, after, "").status());
            assertEquals(401, app.get("/api/auth/verify", before).status());
        }
    }
}
