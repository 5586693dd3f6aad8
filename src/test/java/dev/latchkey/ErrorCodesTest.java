package dev.latchkey;

import static dev.latchkey.testing.TestClient.credentials;
import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.latchkey.http.ErrorCode;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestClient.Answer;
import dev.latchkey.validation.FieldErrorCode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** The codes by which a program tells errors apart. */
class ErrorCodesTest {
    private static final String BREAKING = "a change of codes breaks clients: see \"Error codes\" in api.md";

    @AutoClose
    private static TestApp app;

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start("MAX_TODOS_PER_USER", "1", "LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1");
    }

    /** A generated client knows exactly these, so that even a new one breaks it. */
    @Test
    void the_codes_are_those_that_clients_rely_on() {
        assertEquals(
                "malformed_request invalid_fields credentials_missing invalid_token wrong_credentials wrong_password "
                        + "wrong_client_credentials registration_closed not_found method_not_allowed username_taken "
                        + "todo_limit precondition_failed body_too_large unsupported_media_type rate_limited "
                        + "headers_too_large internal_error contention overloaded token_store_unavailable "
                        + "unsupported_http_version",
                join(List.of(ErrorCode.values())),
                BREAKING);
        assertEquals(
                "required unknown repeated wrong_type too_short too_long out_of_range malformed control_characters "
                        + "common_password is_username",
                join(List.of(FieldErrorCode.values())),
                BREAKING);
    }

    private static String join(List<?> codes) {
        return codes.stream().map(Object::toString).collect(Collectors.joining(" "));
    }

    @Test
    void openapi_and_api_md_list_all_codes() throws Exception {
        JsonNode schemas = app.send("GET", "/openapi.json", "").json().at("/components/schemas");
        assertEquals(join(List.of(ErrorCode.values())), join(enumOf(schemas, "ErrorCode")));
        assertEquals(join(List.of(FieldErrorCode.values())), join(enumOf(schemas, "FieldErrorCode")));
        String section = Files.readString(Path.of("src/site/markdown/api.md"))
                .replaceFirst("(?s).*\n## Error codes\n(.*?)\n## .*", "$1");
        List<String> documented = Pattern.compile("(?m)^\\| `([a-z_]+)` \\|")
                .matcher(section)
                .results()
                .map(row -> row.group(1))
                .toList();
        assertEquals(
                join(List.of(ErrorCode.values())) + " " + join(List.of(FieldErrorCode.values())),
                String.join(" ", documented));
    }

    private static List<?> enumOf(JsonNode schemas, String name) {
        return schemas.at("/" + name + "/enum")
                .valueStream()
                .map(JsonNode::asString)
                .toList();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "POST | /api/auth/login | { | 400 malformed_request",
                "POST | /api/auth/login | {} | 400 invalid_fields",
                "GET | /api/todos?limit=0 | `` | 400 invalid_fields",
                "POST | /api/auth/login | {\"username\":\"no-such-user\",\"password\":\"x\"} | 401 wrong_credentials",
                "DELETE | /api/auth/account | {\"password\":\"x\"} | 401 wrong_password",
                "PUT | /api/auth/password | {\"currentPassword\":\"x\",\"newPassword\":\"correct horse\"} | 401 wrong_password",
                "GET | /api/auth/unknown | `` | 404 not_found",
                "DELETE | /api/auth/sessions/unknown | `` | 404 not_found",
                "GET | /api/todos/unknown | `` | 404 not_found",
                "PUT | /api/auth/me | `` | 405 method_not_allowed",
            })
    void each_error_of_a_request_has_its_code(String method, String path, String body, String expected) {
        assertCode(expected, app.send(method, path, app.newToken(), body));
    }

    private static void assertCode(String expected, Answer answer) {
        assertEquals(expected, answer.status() + " " + answer.field("code"), answer::text);
    }

    @Test
    void an_error_of_the_state_or_of_the_credentials_has_its_code() throws Exception {
        assertCode("401 credentials_missing", app.send("GET", "/api/auth/me", ""));
        assertCode("401 credentials_missing", app.send("GET", "/api/auth/me", "", "Authorization", "Basic YTpi"));
        assertCode("401 invalid_token", app.verify(app.unknownToken()));
        String name = TestApp.newName();
        String token = app.newToken(name);
        assertCode("409 username_taken", app.register(name));
        String todo = expect(201, app.createTodo(token, "a")).todoPath();
        assertCode("409 todo_limit", app.createTodo(token, "b"));
        assertCode("412 precondition_failed", app.with("If-Match", "\"x\"").get(todo, token));
        assertCode("415 unsupported_media_type", app.send("POST", "/api/auth/login", "x", "Content-Type", "text/xml"));
        assertCode("413 body_too_large", app.send("POST", "/api/auth/login", "", " ".repeat(20_000)));
        assertCode(
                "431 headers_too_large",
                app.with("X-Padding", "x".repeat(40_000)).verify(token));
        for (int i = 0; i < 10; i++) {
            app.login("nobody", "x");
        }
        assertCode("429 rate_limited", app.login("nobody", "x"));
        try (var closed = TestApp.start("REGISTRATION", "closed")) {
            assertCode("403 registration_closed", closed.register(TestApp.newName()));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"password\":\"correct horse\"} | username required",
                "{\"username\":7,\"password\":\"correct horse\"} | username wrong_type",
                "{\"username\":\"ab\",\"password\":\"correct horse\"} | username too_short 3 254",
                "{\"username\":\"a b\",\"password\":\"correct horse\"} | username malformed 3 254",
                "{\"username\":\"abc\",\"username\":\"abc\",\"password\":\"correct horse\"} | username repeated",
                "{\"username\":\"abc\",\"password\":\"correct horse\",\"role\":\"\"} | role unknown",
                "{\"username\":\"abc\",\"password\":\"x y z\"} | password too_short 8 128",
                "{\"username\":\"abc\",\"password\":\"correct\\u0000horse\"} | password control_characters",
                "{\"username\":\"abc\",\"password\":\"password\"} | password common_password",
                "{\"username\":\"long-enough\",\"password\":\"Long-Enough\"} | password is_username",
                "{\"username\":\"abc\",\"password\":\"abc\"} | password too_short 8 128, password is_username",
            })
    void each_error_in_a_field_has_its_code_and_its_limits(String body, String expected) {
        assertEquals(expected, errors(app.send("POST", "/api/auth/register", "", body)));
    }

    @Test
    void a_text_that_is_too_long_or_a_number_out_of_range_has_its_limits() {
        String token = app.newToken();
        String tooLong = credentials("a".repeat(255), "x ".repeat(65));
        assertEquals(
                "username too_long 3 254, password too_long 8 128",
                errors(app.send("POST", "/api/auth/register", "", tooLong)));
        assertEquals("password too_long 0 128", errors(app.login("abc", "x".repeat(513))));
        assertEquals("name too_long 1 200", errors(app.createTodo(token, "a".repeat(201))));
        assertEquals("name too_short 1 200", errors(app.createTodo(token, " ")));
        assertEquals("name control_characters", errors(app.createTodo(token, "a\n")));
        assertEquals("limit out_of_range 1 200", errors(app.get("/api/todos?limit=201", token)));
        assertEquals("status malformed", errors(app.get("/api/todos?status=done", token)));
        assertEquals("after malformed", errors(app.get("/api/todos?after=x", token)));
    }

    private static String errors(Answer answer) {
        return String.join(
                ", ",
                expect(400, answer)
                        .json()
                        .get("errors")
                        .valueStream()
                        .map(error -> (error.get("field").asString() + " "
                                        + error.get("code").asString() + " "
                                        + error.path("minimum").asString("-") + " "
                                        + error.path("maximum").asString("-"))
                                .replace(" - -", ""))
                        .toList());
    }

    @ParameterizedTest
    @CsvSource({"/api/auth/introspect", "/api/auth/revoke"})
    void the_routes_of_oauth_have_its_error_codes_too(String path) {
        assertOAuth("401 credentials_missing invalid_client", app.send("POST", path, ""));
        String wrong = TestClient.basic("x", "y");
        assertOAuth(
                "401 wrong_client_credentials invalid_client",
                app.send("POST", path, "token=x", "Authorization", wrong));
        assertOAuth("400 invalid_fields invalid_request", app.sendForm(path, ""));
        assertOAuth("400 malformed_request invalid_request", app.sendForm(path, "token=%"));
        String right = TestClient.basic(TestClient.CLIENT_ID, TestClient.CLIENT_SECRET);
        assertOAuth(
                "415 unsupported_media_type invalid_request",
                app.send("POST", path, "{}", "Authorization", right, "Content-Type", "application/json"));
        var client = app.from(TestApp.newAddress());
        for (int i = 0; i < 100; i++) {
            client.send("POST", path, "token=x", "Authorization", wrong);
        }
        assertOAuth("429 rate_limited ", client.send("POST", path, "token=x", "Authorization", wrong));
    }

    private static void assertOAuth(String expected, Answer answer) {
        assertCode(expected.replaceFirst(" \\w*$", ""), answer);
        assertEquals(expected.replaceFirst(".* ", ""), answer.field("error"));
    }
}
