package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Sessions with a name and a lifetime of their own, as a script needs them. */
class MachineTokenTest {
    private static final int MAX_AGE = 100_000;
    private static final int MAX_SESSIONS = 3;

    @AutoClose
    private static TestApp app;

    private final String user = TestApp.newName();

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start(
                "SESSION_MAX_AGE", Integer.toString(MAX_AGE), "MAX_SESSIONS_PER_USER", Integer.toString(MAX_SESSIONS));
    }

    private Answer login(Map<String, Object> options) {
        var body = new HashMap<>(options);
        body.put("username", user);
        body.put("password", TestApp.PASSWORD);
        return app.send("POST", "/api/auth/login", new JsonMapper().writeValueAsString(body));
    }

    private String newToken(String name) {
        return expect(200, login(name.isEmpty() ? Map.of() : Map.of("name", name)))
                .field("token");
    }

    private List<String> names(String token) {
        return sessions(token).stream()
                .map(session -> session.path("name").asString("-"))
                .toList();
    }

    private List<JsonNode> sessions(String token) {
        var answer = expect(200, app.get("/api/auth/sessions", token));
        return answer.json().get("sessions").valueStream().toList();
    }

    private void assertLifetime(int seconds, Answer issued) {
        String token = issued.field("token");
        long ttl = app.redis().ttl(app.key(token));
        assertTrue(ttl > seconds - 100 && ttl <= seconds, "TTL: " + ttl);
        assertTrue(app.redis().ttl("sessions:" + user) > seconds - 100, "the index lives as long");
        var left = Duration.between(Instant.now(), Instant.parse(issued.field("expiresDate")));
        assertTrue(left.toSeconds() > seconds - 100 && left.toSeconds() <= seconds, left::toString);
        var active = expect(200, app.sendForm("/api/auth/introspect", "token=" + token));
        long end = Instant.parse(issued.field("expiresDate")).getEpochSecond();
        assertTrue(Math.abs(active.json().get("exp").asLong() - end) <= 1, active::text);
    }

    @Test
    void a_login_chooses_the_lifetime_of_its_token_and_of_those_that_replace_it() {
        app.register(user);
        var issued = expect(200, login(Map.of("expiresIn", 50_000)));
        assertLifetime(50_000, issued);
        var refreshed = expect(200, app.refresh(issued.field("token")));
        assertLifetime(50_000, refreshed);
        assertLifetime(50_000, expect(200, app.refresh(refreshed.field("token"))));
        assertLifetime(MAX_AGE, expect(200, login(Map.of("expiresIn", MAX_AGE))));
        assertLifetime(3600, expect(200, login(Map.of())));
        assertEquals(200, login(Map.of("expiresIn", 1)).status());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0 | out_of_range",
                "-1 | out_of_range",
                "100001 | out_of_range",
                "99999999999999999999 | out_of_range",
                "3600.0 | wrong_type",
                "1e3 | wrong_type",
                "\"3600\" | wrong_type",
                "null | wrong_type",
                "true | wrong_type",
                "[60] | wrong_type",
            })
    void a_lifetime_is_an_integer_from_one_second_to_the_longest_session(String expiresIn, String code) {
        String body =
                TestApp.credentials(user, TestApp.PASSWORD).replaceFirst("}$", ",\"expiresIn\":" + expiresIn + "}");
        var error =
                expect(400, app.send("POST", "/api/auth/login", body)).json().at("/errors/0");
        assertEquals(
                "{\"field\":\"expiresIn\",\"code\":\"" + code
                        + "\",\"detail\":\"must be an integer from 1 to 100000\",\"minimum\":1,\"maximum\":100000}",
                error.toString());
    }

    @Test
    void a_name_is_in_the_list_and_survives_a_refresh() {
        app.register(user);
        String plain = newToken("");
        assertEquals(List.of("-"), names(plain));
        String machine = newToken("nächtliches Backup 🗄");
        assertEquals(List.of("nächtliches Backup 🗄", "-"), names(plain));
        expect(200, app.refresh(machine));
        assertEquals(List.of("nächtliches Backup 🗄", "-"), names(plain));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a\u0000", "a\nb", "\u009b31m"})
    void a_name_is_a_text_that_people_can_read(String name) {
        assertEquals(
                "name",
                expect(400, login(Map.of("name", name)))
                        .json()
                        .at("/errors/0/field")
                        .asString());
    }

    @Test
    void a_name_has_at_most_64_characters() {
        app.register(user);
        expect(200, login(Map.of("name", "🗄".repeat(64))));
        expect(400, login(Map.of("name", "a".repeat(65))));
        expect(400, login(Map.of("name", 7)));
    }

    @Test
    void people_who_log_in_often_do_not_end_the_session_of_a_machine() {
        app.register(user);
        String machine = newToken("backup");
        for (int i = 0; i < 2 * MAX_SESSIONS; i++) {
            newToken("");
        }
        assertEquals(List.of("-", "-", "backup"), names(machine));
        newToken("second");
        newToken("third");
        assertEquals(List.of("third", "second", "backup"), names(machine));
        String last = newToken("");
        expect(401, app.verify(machine)); // the oldest of those with a name, because no other is left
        assertEquals(List.of("-", "third", "second"), names(last));
    }

    @ParameterizedTest
    @ValueSource(strings = {"its end", "everywhere", "a new password", "the account"})
    void the_session_of_a_machine_ends_as_every_session_does(String end) {
        app.register(user);
        String token = newToken("");
        String machine = newToken("backup");
        expect(200, app.verify(machine));
        Answer answer = switch (end) {
            case "its end" -> {
                String id = sessions(token).getFirst().get("id").asString();
                yield app.send("DELETE", "/api/auth/sessions/" + id, token, "");
            }
            case "everywhere" -> app.send("DELETE", "/api/auth/sessions", token, "");
            case "a new password" -> app.changePassword(token, TestApp.PASSWORD, "another passphrase");
            default -> app.deleteAccount(token, TestApp.PASSWORD);
        };
        assertTrue(answer.status() < 300, answer::toString);
        expect(401, app.verify(machine));
    }
}
