package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.net.URLEncoder;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests every guarded route and every client route with every kind of credentials. */
class GuardTest extends StorageMatrix {
    private static final String CHALLENGE = "Bearer realm=\"latchkey\"";
    private static final String INVALID_TOKEN = CHALLENGE + ", error=\"invalid_token\"";
    private static final String UNKNOWN_ID = "d6ad7dae-c147-4513-a58b-2a2516cff3b7";

    @ParameterizedTest
    @CsvSource({
        "POST, /api/auth/refresh, 200",
        "POST, /api/auth/logout, 204",
        "GET, /api/auth/me, 200",
        "HEAD, /api/auth/me, 200",
        "GET, /api/auth/verify, 200",
        "HEAD, /api/auth/verify, 200",
        "POST, /api/auth/verify, 200",
        "DELETE, /api/auth/verify, 200",
        "OPTIONS, /api/auth/verify, 200",
        "GET, /api/auth/verify/, 200",
        "PROPFIND, /api/auth/verify/page//a%2F..;x=1, 200",
        "OPTIONS, /api/auth/verify/api/auth/login, 200",
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
    void only_a_valid_token_grants_access_to_a_guarded_route(String method, String path, int statusWithToken) {
        String unknown = app.unknownToken();
        String expired = app.newToken();
        app.redis().pexpire(app.key(expired), 0);
        assertUnauthorized(app.send(method, path, ""), CHALLENGE);
        for (String credentials : List.of("Basic YWxpY2U6cGFzc3dvcmQ=", "Bearerx " + unknown, unknown, "", "Token t")) {
            assertUnauthorized(app.send(method, path, "", "Authorization", credentials), CHALLENGE);
        }
        String token = app.newToken();
        String otherCase = storage.equals("plain") ? token.toUpperCase(Locale.ROOT) : token.toLowerCase(Locale.ROOT);
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
                "Bearer " + otherCase)) {
            assertUnauthorized(app.send(method, path, "", "Authorization", credentials), INVALID_TOKEN);
        }
        assertUnauthorized(
                app.send(method, path, "", "Authorization", "Bearer " + token, "Authorization", "Bearer " + token),
                INVALID_TOKEN);
        expect(statusWithToken, app.send(method, path, "", "Authorization", "Bearer " + token));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/api/auth/introspect", "/api/auth/revoke"})
    void only_the_client_credentials_grant_access_to_a_client_route(String path) {
        String id = TestClient.CLIENT_ID;
        String secret = TestClient.CLIENT_SECRET;
        String token = app.newToken();
        String form = "token=" + token;
        String challenge = "Basic realm=\"latchkey\"";
        TestClient client = app.with("Content-Type", TestClient.FORM);
        assertUnauthorized(client.send("POST", path, form), challenge);
        String correct = TestClient.basic(id, secret);
        for (String credentials : List.of(
                "Bearer " + token,
                "Basic",
                "Basic ",
                "Basic *",
                "Basic =",
                "Basic Og==", // a colon
                "Basic YQ==", // no colon
                "Basic JTp4", // a malformed percent-encoding
                correct.replace(" ", ""),
                correct.replace("Basic", "Digest"),
                correct.toLowerCase(Locale.ROOT),
                correct + "," + correct,
                correct + " x",
                TestClient.basic(id, ""),
                TestClient.basic("", secret),
                TestClient.basic(id + "x", secret),
                TestClient.basic(secret, id),
                TestClient.basic(id, secret + "x"),
                TestClient.basic(id, secret + "\0"),
                TestClient.basic(id, secret.substring(1)),
                TestClient.basic(id, secret.toUpperCase(Locale.ROOT)),
                TestClient.basic(URLEncoder.encode(id, UTF_8), URLEncoder.encode(secret, UTF_8)))) {
            assertUnauthorized(client.send("POST", path, form, "Authorization", credentials), challenge);
        }
        assertUnauthorized(
                client.send("POST", path, form, "Authorization", correct, "Authorization", correct), challenge);
        expect(200, app.verify(token));
        for (String credentials : List.of(correct, correct.replace("Basic ", "bASIC  "), correct.replace("=", ""))) {
            expect(200, client.send("POST", path, form, "Authorization", credentials));
        }
        assertUnauthorized(app.send("GET", "/api/auth/me", "", "Authorization", correct), CHALLENGE);
    }

    private static void assertUnauthorized(TestClient.Answer response, String challenge) {
        assertEquals(challenge, expect(401, response).header("WWW-Authenticate"));
    }

    @Test
    void the_bearer_scheme_is_case_insensitive() {
        String token = app.newToken();
        for (String scheme : List.of("bearer ", "BEARER ", "BeArEr ", "Bearer   ")) {
            expect(200, app.send("GET", "/api/auth/verify", "", "Authorization", scheme + token));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "GET, /api/todos/%s",
        "HEAD, /api/todos/%s",
        "PATCH, /api/todos/%s",
        "DELETE, /api/todos/%s",
        "GET, /api/todos?after=%s"
    })
    void a_user_cannot_access_the_todos_of_another_user(String method, String path) {
        String owner = app.newToken();
        String other = app.newToken();
        String id = app.createTodo(owner, "mine").field("id");
        String body = method.equals("PATCH") ? "{\"name\":\"theirs\"}" : "";
        var response = app.send(method, path.formatted(id), other, body);
        var unknown = app.send(method, path.formatted(UNKNOWN_ID), other, body);
        assertEquals(unknown.status(), response.status());
        assertEquals(unknown.text(), response.text(), "the response must not reveal that the todo exists");
        assertNotEquals(403, response.status());
        assertTrue(!response.text().contains("mine"));
        assertEquals("mine", app.get("/api/todos/" + id, owner).field("name"));
    }

    @Test
    void each_of_many_concurrent_requests_is_attributed_to_its_own_user() throws Exception {
        List<String> names = Stream.generate(TestApp::newName).limit(32).toList();
        List<String> tokens = names.stream().map(app::foreignToken).toList();
        var turn = new AtomicInteger();
        List<Boolean> correct = TestApp.concurrently(32, () -> {
            int i = turn.getAndIncrement();
            for (int round = 0; round < 100; round++) {
                String user = app.verify(tokens.get(i)).header("X-Auth-User");
                if (!user.equals(names.get(i))) {
                    return false;
                }
            }
            return true;
        });
        assertTrue(correct.stream().allMatch(Boolean::booleanValue));
    }
}
