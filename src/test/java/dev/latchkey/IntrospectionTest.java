package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestClient.Answer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Introspection (RFC 7662) and revocation (RFC 7009), as programs with the client credentials use them. */
class IntrospectionTest extends StorageMatrix {
    private static final String INTROSPECT = "/api/auth/introspect";
    private static final String REVOKE = "/api/auth/revoke";
    private static final String INACTIVE = "{\"active\":false}";

    private static Answer introspect(String token) {
        return app.sendForm(INTROSPECT, "token=" + token);
    }

    private static void assertInactive(Answer response) {
        assertEquals(INACTIVE, expect(200, response).text());
    }

    @Test
    void a_valid_token_is_active_until_the_end_of_its_key() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.redis().expire(app.key(token), 77);
        long now = Instant.now().getEpochSecond();
        var response = expect(200, introspect(token));
        long expires = response.json().path("exp").asLong();
        assertEquals(
                "{\"active\":true,\"username\":\"NAME\",\"sub\":\"NAME\",\"token_type\":\"Bearer\",\"exp\":EXP}"
                        .replace("NAME", name)
                        .replace("EXP", Long.toString(expires)),
                response.text());
        long end = app.redis().pexpiretime(app.key(token));
        assertTrue(expires * 1000 <= end && expires >= now + 70, "exp " + expires + ", end of the key " + end);
    }

    @Test
    void a_token_that_another_program_stored_without_a_ttl_has_no_exp() {
        String token = app.foreignToken("alice");
        app.redis().persist(app.key(token));
        assertEquals(
                "{\"active\":true,\"username\":\"alice\",\"sub\":\"alice\",\"token_type\":\"Bearer\"}",
                introspect(token).text());
        app.redis().del(app.key(token));
    }

    @Test
    void inactive_tokens_get_no_reason() {
        String loggedOut = app.newToken();
        app.logout(loggedOut);
        String expired = app.newToken();
        app.redis().pexpire(app.key(expired), 0);
        String implausible = app.foreignToken("not a username");
        for (String token : List.of(loggedOut, expired, implausible, app.unknownToken(), "x", "%F0%9F%94%91", "%00")) {
            assertInactive(introspect(token));
        }
    }

    @Test
    void a_revoked_token_is_invalid_and_its_session_is_no_longer_listed() {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String other = app.newToken(name);
        assertEquals("", expect(200, app.sendForm(REVOKE, "token=" + token)).text());
        expect(401, app.verify(token));
        assertInactive(introspect(token));
        assertEquals(List.of(app.key(other)), app.liveKeys(name));
        assertEquals(
                List.of(app.key(other).substring("tokens:".length())),
                app.redis().hkeys("sessions:" + name));
    }

    @Test
    void revoking_an_invalid_token_is_200_too() {
        String revoked = app.newToken();
        for (String token : List.of(revoked, revoked, app.unknownToken(), "not-a-token")) {
            assertEquals("", expect(200, app.sendForm(REVOKE, "token=" + token)).text());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {INTROSPECT, REVOKE})
    void other_form_fields_are_ignored(String path) {
        String token = app.newToken();
        String others = "a=1&a=2&token_type_hint=refresh_token&=&&b&" + "c=d&".repeat(50);
        expect(200, app.sendForm(path, others + "token=" + token + "&" + others));
        expect(path.equals(INTROSPECT) ? 200 : 401, app.verify(token));
    }

    @ParameterizedTest
    @CsvSource(
            nullValues = "-",
            value = {
                "-, token is required",
                "token, token is required",
                "token=, token is required",
                "Token=x, token is required",
                "token=x&token=x, token must not be repeated",
                "token=x&to%6Ben=y, token must not be repeated",
                "token=&token=x, token must not be repeated",
                "token=%, percent-encoding",
                "token=x&a=%G1, percent-encoding",
                "%=a&token=x, percent-encoding",
            })
    void a_form_without_exactly_one_token_is_a_400(String form, String reason) {
        for (String path : List.of(INTROSPECT, REVOKE)) {
            var response = expect(400, app.sendForm(path, form == null ? "a=b" : form));
            var error = response.json().at("/errors/0");
            String details = response.field("detail") + error.path("field").asString("") + " "
                    + error.path("detail").asString("");
            assertTrue(details.contains(reason), response::text);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "application/x-www-form-urlencoded | 200",
                "Application/X-WWW-Form-URLencoded; charset=UTF-8 | 200",
                "application/x-www-form-urlencoded;charset=\"utf8\";a=b | 200",
                "application/x-www-form-urlencoded; charset=iso-8859-1 | 415",
                "application/x-www-form-urlencoded-x | 415",
                "application/json | 415",
                "multipart/form-data; boundary=x | 415",
            })
    void the_body_must_be_a_form_in_utf_8(String type, int status) {
        String basic = TestClient.basic(TestClient.CLIENT_ID, TestClient.CLIENT_SECRET);
        var response = app.send("POST", INTROSPECT, "token=x", "Content-Type", type, "Authorization", basic);
        expect(status, response);
        assertEquals(status == 415 ? TestClient.FORM : "", response.header("Accept"));
    }

    @Test
    void a_token_of_any_length_is_no_error_up_to_a_form_of_a_megabyte() {
        String valid = app.newToken();
        for (String token : List.of(
                "x".repeat(16_384 - 6),
                "x".repeat(16_384 - 5),
                "x".repeat((1 << 20) - 6),
                "%41".repeat(6000),
                "x%41".repeat(6000),
                "xx%41".repeat(6000),
                "\u00e4".repeat(10_000))) {
            assertInactive(introspect(token));
            expect(200, app.sendForm(REVOKE, "token=" + token));
        }
        expect(200, app.sendForm(REVOKE, "token=" + valid + "&other=" + "x".repeat(500_000)));
        expect(401, app.verify(valid));
        expect(413, app.sendForm(INTROSPECT, "token=" + "x".repeat((1 << 20) - 5)));
    }

    @Test
    void a_request_with_wrong_credentials_gets_a_401_whatever_its_body() {
        String wrong = TestClient.basic(TestClient.CLIENT_ID, TestClient.CLIENT_SECRET + "x");
        for (String body : List.of("{}", "x".repeat(16_385))) {
            expect(401, app.send("POST", INTROSPECT, body, "Authorization", wrong));
        }
    }

    @Test
    void without_client_credentials_the_routes_do_not_exist() throws Exception {
        try (var other = TestApp.start("INTROSPECTION_CLIENT_ID", "", "INTROSPECTION_CLIENT_SECRET", "")) {
            for (String path : List.of(INTROSPECT, REVOKE)) {
                expect(404, other.sendForm(path, "token=x"));
                expect(404, other.send("OPTIONS", path, ""));
            }
        }
    }

    private static Answer introspectAs(TestClient client, String secret) {
        String basic = TestClient.basic(TestClient.CLIENT_ID, secret);
        return client.send("POST", INTROSPECT, "token=x", "Content-Type", TestClient.FORM, "Authorization", basic);
    }

    @Test
    void wrong_credentials_have_a_limit_per_address_that_affects_neither_correct_credentials_nor_logins()
            throws Exception {
        String wrong = TestClient.CLIENT_SECRET + "x";
        String address = TestClient.newAddress();
        String key = "throttle:client:" + address;
        try (var limited =
                TestApp.start("TOKEN_STORAGE", storage, "LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1")) {
            TestClient client = limited.from(address);
            expect(401, introspectAs(client, wrong));
            assertEquals("1", limited.redis().hget(key, "all"));
            limited.redis().hset(key, "all", "99");
            expect(401, introspectAs(client, wrong));
            assertNotEquals("", expect(429, introspectAs(client, wrong)).header("Retry-After"));

            expect(200, introspectAs(client, TestClient.CLIENT_SECRET));
            assertEquals("100", limited.redis().hget(key, "all"));
            expect(401, introspectAs(limited.from(TestClient.newAddress()), wrong));
            String name = TestApp.newName();
            client.register(name);
            expect(200, client.login(name, TestApp.PASSWORD));
        }
    }

    @Test
    void an_introspection_sends_a_get_and_a_pttl_at_most() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var dedicated = TestApp.startOn(redis.url(), "TOKEN_STORAGE", storage, "LOGIN_THROTTLE", "true")) {
            String token = dedicated.newToken();
            assertEquals(Map.of("get", 1L, "pttl", 1L), commands(dedicated, INTROSPECT, token));
            assertEquals(Map.of("get", 1L, "hget", 1L, "del", 1L, "hdel", 1L), commands(dedicated, REVOKE, token));
            assertEquals(Map.of("get", 1L), commands(dedicated, INTROSPECT, token));
            assertEquals(Map.of("get", 1L), commands(dedicated, REVOKE, token));
            assertEquals(Map.of(), commands(dedicated, INTROSPECT, "x" + token));
            assertEquals(Map.of(), commands(dedicated, REVOKE, "x" + token));
        }
    }

    private static Map<String, Long> commands(TestApp dedicated, String path, String token) {
        return dedicated.commandsOf(() -> expect(200, dedicated.sendForm(path, "token=" + token)));
    }
}
