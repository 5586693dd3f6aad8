package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.OpenApiDocument;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.TestApp;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rules for all responses: status codes, headers, methods, paths and bodies. */
class HttpRulesTest {
    @AutoClose
    private static TestApp app;

    private static String token;

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start();
        token = app.newToken();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/",
                "/api",
                "/api/",
                "/api/auth",
                "/api/auth/me/",
                "/api/auth/meX",
                "/api/auth/me%20",
                "/api/auth/%6De",
                "/api/auth%2Fme",
                "/api/auth/./me",
                "/api/auth/x/../me",
                "/api//auth/me",
                "/API/auth/me",
                "/api/auth/me;a=b",
                "/health",
                "/health/ready/",
                "/api/todos/",
                "/api/todos/a/b",
                "/api/todos/..",
                "/api/todos/%2e%2e",
                "/metrics",
                "/openapi",
                "/openapi.json/",
                "/openapi.yaml",
                "/favicon.ico"
            })
    void only_the_exact_path_matches_a_route(String path) {
        for (String method : List.of("GET", "POST", "OPTIONS", "HEAD")) {
            expect(404, app.send(method, path, token, ""));
        }
    }

    /** {@link OpenApiTest} compares the methods of the document with the routes. */
    @Test
    void options_and_405_responses_list_the_allowed_methods() {
        for (var item : OpenApiDocument.INSTANCE.paths()) {
            if (item.anyMethod()) {
                continue;
            }
            for (String method : List.of("OPTIONS", "TRACE", "FOO", "get")) {
                var response = app.send(method, item.path().replace("{id}", "x"), "");
                expect(method.equals("OPTIONS") ? 204 : 405, response);
                assertEquals(item.allow(), response.header("Allow"));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/api/auth/me",
                "/api/todos",
                "/health/live",
                "/health/ready",
                "/api/auth/verify",
                "/api/auth/verify/page",
                "/openapi.json",
                "/nothing"
            })
    void head_gets_the_same_response_as_get_without_the_body(String path) {
        var get = app.get(path, token);
        var head = app.send("HEAD", path, token, "");
        assertEquals(get.status(), head.status());
        assertEquals("", head.text());
        for (String header : List.of("Content-Type", "Content-Length", "ETag", "Cache-Control", "X-Auth-User")) {
            assertEquals(get.header(header), head.header(header), header);
        }
    }

    @Test
    void a_valid_request_id_is_echoed_and_an_invalid_one_is_replaced() {
        for (String id : List.of("a", "A.b_c-9", "x".repeat(64))) {
            assertEquals(id, requestId("X-Request-Id", id));
        }
        for (String id : List.of("", "x".repeat(65), "a b", "a/b", "ä", "<script>")) {
            assertTrue(requestId("X-Request-Id", id).matches("[0-9a-f]{16}"), id);
        }
        assertTrue(requestId("X-Request-Id", "a", "X-Request-Id", "b").matches("[0-9a-f]{16}"));
    }

    private static String requestId(String... headers) {
        return app.send("GET", "/health/live", "", headers).header("X-Request-Id");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/jsonx",
                "application/json; charset=utf-16",
                "application/json; charset=iso-8859-1",
                "application/json;charset=\"utf-16\"",
                "application/json;charset=utf-8;charset=utf-16",
                "application/json;CHARSET=utf-16;charset=utf-8",
                "application/json;charset=\"\"",
                "application/json;charset=\"utf-8\\\"\"",
                "application/json;charset=",
                "application/json;charset",
                "application/json;charset =utf-8",
                "application/json;charset= utf-8",
                "application/json;charset=\"utf-8",
                "application/json;a=\"\\\"",
                "application/json;a=\"b\"c",
                "application/json;a=b c",
                "application/json;a=b,application/json",
                "application/json, application/json",
                "application/json charset=utf-8",
                "app lication/json",
                "application/ json",
                "application /json",
                "application",
                "/json",
                "",
                "application/problem+json",
                "*/*"
            })
    void a_request_body_must_be_declared_as_json(String type) {
        for (String path : List.of("/api/auth/register", "/api/auth/login", "/api/todos")) {
            var response =
                    expect(415, app.send("POST", path, "{}", "Content-Type", type, "Authorization", "Bearer " + token));
            assertEquals("application/json", response.header("Accept"));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "application/json",
                "Application/JSON",
                "application/json;charset=UTF-8",
                "application/json; charset=\"utf-8\"",
                "application/json;charset=utf8",
                "application/json ;\tCharset=\"UTF8\" ; ",
                "application/json;charset=us-ascii",
                "application/json;",
                "application/json; ;;",
                "application/json;profile=x;charset=utf-8;v=\"1\"",
                "application/json;a=\"; charset=utf-16\"",
                "application/json;a=\"\\\";charset=utf-16\"",
                "application/json;x-charset=utf-16"
            })
    void a_json_content_type_may_have_parameters_and_specify_utf_8(String type) {
        var response = expect(
                201,
                app.send(
                        "POST",
                        "/api/todos",
                        "{\"name\":\"ä\"}",
                        "Content-Type",
                        type,
                        "Authorization",
                        "Bearer " + token));
        assertEquals("ä", response.field("name"));
    }

    @Test
    void two_content_types_get_a_415() {
        String[] twice = {"Content-Type", "application/json", "Content-Type", "application/json"};
        expect(415, app.send("POST", "/api/auth/login", "{}", twice));
    }

    @Test
    void a_byte_order_mark_before_the_json_is_ignored() {
        assertEquals(
                "n",
                app.send("POST", "/api/todos", token, "\uFEFF{\"name\":\"n\"}").field("name"));
    }

    @Test
    void a_compressed_request_body_gets_a_415() {
        for (String coding : List.of("gzip", "br", "identity, gzip")) {
            var refused = expect(415, app.send("POST", "/api/auth/login", "{}", "Content-Encoding", coding));
            assertEquals("identity", refused.header("Accept-Encoding"));
        }
        expect(400, app.send("POST", "/api/auth/login", "{}", "Content-Encoding", "Identity"));
        var type = expect(
                415,
                app.send(
                        "PATCH",
                        "/api/todos/x",
                        "{}",
                        "Authorization",
                        "Bearer " + token,
                        "Content-Type",
                        "text/plain"));
        assertEquals("application/json", type.header("Accept-Patch"));
        assertEquals("", type.header("Accept-Encoding"));
    }

    @Test
    void a_body_at_the_limit_is_accepted_and_a_larger_one_gets_a_413_in_every_framing() throws Exception {
        String fits = "{\"name\":\"n\"" + " ".repeat(16_384 - 12) + "}";
        expect(201, app.send("POST", "/api/todos", token, fits));
        expect(413, app.send("POST", "/api/todos", token, fits + " "));
        expect(413, app.send("POST", "/api/todos", token, " ".repeat(500_000)));
        String chunked =
                RawClient.head("POST /api/auth/login", "Content-Type: application/json", "Transfer-Encoding: chunked");
        String response =
                new RawClient(app.port()).exchange(chunked + "4e20\r\n" + " ".repeat(0x4e20) + "\r\n0\r\n\r\n");
        assertEquals(413, RawClient.status(response));
        assertTrue(response.contains("Connection: close"), response);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[]", "\"x\"", "{\"username\":\"a\"}}", "{\"username\":nul}", "not json"})
    void malformed_json_gets_a_400_without_details_of_the_parser(String body) {
        var response = expect(400, app.send("POST", "/api/auth/login", body));
        assertTrue(!response.text().contains("jackson") && !response.text().contains("Exception"), response.text());
    }

    @Test
    void all_errors_of_a_query_are_reported_in_one_response() {
        var response = expect(400, app.get("/api/todos?status=done&limit=0&after=x&limt=5&limit=7", token));
        assertEquals(
                List.of("limit", "status", "limit", "after", "limt"),
                response.json().get("errors").findValuesAsString("field"));
    }

    @Test
    void a_request_body_that_the_route_does_not_expect_is_ignored() {
        expect(200, app.send("GET", "/health/live", "{\"a\":1}"));
        expect(200, app.send("POST", "/api/auth/refresh", app.newToken(), "not json"));
    }
}
