package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every guarded route against every kind of credentials. */
class GuardTest extends StorageMatrix {
    private static final String PLAIN = "Bearer realm=\"latchkey\"";
    private static final String INVALID = PLAIN + ", error=\"invalid_token\"";
    private static final String UNKNOWN = "d6ad7dae-c147-4513-a58b-2a2516cff3b7";

    @ParameterizedTest
    @CsvSource({
        "POST, /api/auth/refresh, 200",
        "POST, /api/auth/logout, 204",
        "GET, /api/auth/me, 200",
        "HEAD, /api/auth/me, 200",
        "GET, /api/auth/verify, 204",
        "HEAD, /api/auth/verify, 204",
        "POST, /api/auth/verify, 204",
        "DELETE, /api/auth/verify, 204",
        "OPTIONS, /api/auth/verify, 204",
        "GET, /api/auth/sessions, 200",
        "HEAD, /api/auth/sessions, 200",
        "DELETE, /api/auth/sessions/d6ad7dae, 404",
        "DELETE, /api/auth/sessions, 204",
        "PUT, /api/auth/password, 415",
        "DELETE, /api/auth/account, 415",
        "GET, /api/todos, 200",
        "HEAD, /api/todos, 200",
        "POST, /api/todos, 415",
        "GET, /api/todos/01a20ae6-a264-7ec1-bd3c-eaeeac2d72a4, 404",
        "PATCH, /api/todos/01a20ae6-a264-7ec1-bd3c-eaeeac2d72a4, 415",
        "DELETE, /api/todos/01a20ae6-a264-7ec1-bd3c-eaeeac2d72a4, 404",
    })
    void only_a_live_token_opens_a_guarded_route(String method, String path, int live) {
        String unknown = app.unknownToken();
        String expired = app.newToken();
        app.redis().pexpire(app.key(expired), 0);
        assertRefused(app.send(method, path, ""), PLAIN);
        for (String credentials : List.of("Basic YWxpY2U6cGFzc3dvcmQ=", "Bearerx " + unknown, unknown, "", "Token t")) {
            assertRefused(app.send(method, path, "", "Authorization", credentials), PLAIN);
        }
        String token = app.newToken();
        for (String credentials : List.of(
                "Bearer",
                "Bearer ",
                "Bearer " + unknown,
                "Bearer " + expired,
                "Bearer *",
                "Bearer " + token + "x",
                "Bearer " + token + " x",
                "Bearer " + token + "," + token,
                "Bearer \"" + token + "\"",
                "Bearer " + token.substring(1),
                "Bearer tokens:" + token,
                "Bearer " + swapCase(token))) {
            assertRefused(app.send(method, path, "", "Authorization", credentials), INVALID);
        }
        assertRefused(
                app.send(method, path, "", "Authorization", "Bearer " + token, "Authorization", "Bearer " + token),
                INVALID);
        assertEquals(
                live,
                app.send(method, path, "", "Authorization", "Bearer " + token).status());
    }

    // of a UUID the upper case, of base64url another token
    private static String swapCase(String token) {
        return token.chars()
                .map(c -> Character.isLowerCase(c) ? Character.toUpperCase(c) : Character.toLowerCase(c))
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static void assertRefused(TestClient.Answer answer, String challenge) {
        assertEquals(401, answer.status());
        assertEquals(challenge, answer.header("WWW-Authenticate"));
        assertEquals("application/problem+json", answer.header("Content-Type"));
        assertEquals("no-store", answer.header("Cache-Control"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"bearer ", "BEARER ", "BeArEr ", "Bearer   "})
    void the_scheme_is_matched_whatever_its_case(String scheme) {
        String token = app.newToken();
        assertEquals(
                204,
                app.send("GET", "/api/auth/verify", "", "Authorization", scheme + token)
                        .status());
    }

    @ParameterizedTest
    @CsvSource({
        "GET, /api/todos/%s",
        "HEAD, /api/todos/%s",
        "PATCH, /api/todos/%s",
        "DELETE, /api/todos/%s",
        "GET, /api/todos?after=%s"
    })
    void one_user_never_sees_anothers_todo(String method, String path) {
        String owner = app.newToken();
        String other = app.newToken();
        String id = app.send("POST", "/api/todos", owner, "{\"name\":\"mine\"}").field("id");
        String body = method.equals("PATCH") ? "{\"name\":\"theirs\"}" : "";
        var answer = app.send(method, path.formatted(id), other, body);
        var unknown = app.send(method, path.formatted(UNKNOWN), other, body);
        assertEquals(unknown.status(), answer.status());
        assertEquals(unknown.text(), answer.text(), "not even that it exists");
        assertNotEquals(403, answer.status());
        assertTrue(!answer.text().contains("mine"));
        assertEquals("mine", app.get("/api/todos/" + id, owner).field("name"));
    }

    @Test
    void concurrent_requests_of_many_users_each_get_their_own_identity() throws Exception {
        List<String> names = Stream.generate(TestApp::newName).limit(32).toList();
        List<String> tokens = names.stream().map(app::foreignToken).toList();
        var turn = new AtomicInteger();
        List<Boolean> own = TestApp.concurrently(32, () -> {
            int i = turn.getAndIncrement();
            for (int round = 0; round < 100; round++) {
                if (!app.get("/api/auth/verify", tokens.get(i))
                        .header("X-Auth-User")
                        .equals(names.get(i))) {
                    return false;
                }
            }
            return true;
        });
        assertTrue(own.stream().allMatch(Boolean::booleanValue));
    }
}
