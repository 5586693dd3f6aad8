package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
            assertEquals(404, app.send(method, path, token, "").status(), method + " " + path);
        }
        assertProblem(404, app.get(path, token));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/api/auth/register | OPTIONS, POST",
                "/api/auth/login | OPTIONS, POST",
                "/api/auth/refresh | OPTIONS, POST",
                "/api/auth/logout | OPTIONS, POST",
                "/api/auth/me | GET, HEAD, OPTIONS",
                "/api/todos | GET, HEAD, OPTIONS, POST",
                "/api/todos/x | DELETE, GET, HEAD, OPTIONS, PATCH",
                "/health/live | GET, HEAD, OPTIONS",
                "/health/ready | GET, HEAD, OPTIONS",
                "/openapi.json | GET, HEAD, OPTIONS",
            })
    void options_and_405_responses_list_the_allowed_methods(String path, String allow) {
        var options = app.send("OPTIONS", path, "");
        assertEquals(204, options.status());
        assertEquals(allow, options.header("Allow"));
        for (String method : List.of("PUT", "TRACE", "FOO", "get")) {
            var response = app.send(method, path, "");
            assertProblem(405, response);
            assertEquals(allow, response.header("Allow"));
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

    @ParameterizedTest
    @ValueSource(strings = {"/health/live", "/api/auth/me", "/api/auth/nothing", "/api/todos"})
    void every_response_has_the_common_headers(String path) {
        for (var response : List.of(app.get(path, token), app.send("GET", path, ""), app.send("PUT", path, ""))) {
            assertEquals("nosniff", response.header("X-Content-Type-Options"));
            assertTrue(response.header("X-Request-Id").matches("[0-9a-f]{16}"), response.header("X-Request-Id"));
            assertEquals(path.startsWith("/api/") ? "no-store" : "", response.header("Cache-Control"));
        }
    }

    @Test
    void a_valid_request_id_is_echoed_and_an_invalid_one_is_replaced() {
        for (String id : List.of("a", "A.b_c-9", "x".repeat(64))) {
            assertEquals(
                    id, app.send("GET", "/health/live", "", "X-Request-Id", id).header("X-Request-Id"));
        }
        for (String id : List.of("", "x".repeat(65), "a b", "a/b", "ä", "<script>")) {
            assertNotEquals(
                    id, app.send("GET", "/health/live", "", "X-Request-Id", id).header("X-Request-Id"));
        }
        var twice = app.send("GET", "/health/live", "", "X-Request-Id", "a", "X-Request-Id", "b");
        assertTrue(twice.header("X-Request-Id").matches("[0-9a-f]{16}"));
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
            var response = app.send("POST", path, "{}", "Content-Type", type, "Authorization", "Bearer " + token);
            assertProblem(415, response);
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
                "application/json;charset=\"ut\\f-8\"",
                "application/json;",
                "application/json; ;;",
                "application/json;profile=x;charset=utf-8;v=\"1\"",
                "application/json;a=\"; charset=utf-16\"",
                "application/json;a=\"\\\";charset=utf-16\"",
                "application/json;x-charset=utf-16"
            })
    void a_json_content_type_may_have_parameters_and_specify_utf_8(String type) {
        var response = app.send(
                "POST", "/api/todos", "{\"name\":\"ä\"}", "Content-Type", type, "Authorization", "Bearer " + token);
        assertEquals(201, response.status());
        assertEquals("ä", response.field("name"));
    }

    @Test
    void two_content_types_get_a_415() {
        var response = app.send(
                "POST",
                "/api/auth/login",
                "{}",
                "Content-Type",
                "application/json",
                "Content-Type",
                "application/json");
        assertProblem(415, response);
    }

    @Test
    void a_byte_order_mark_before_the_json_is_ignored() {
        assertEquals(
                "n",
                app.send("POST", "/api/todos", token, "\uFEFF{\"name\":\"n\"}").field("name"));
    }

    @Test
    void a_compressed_request_body_gets_a_415() {
        assertProblem(415, app.send("POST", "/api/auth/login", "{}", "Content-Encoding", "gzip"));
    }

    @Test
    void a_body_at_the_limit_is_accepted_and_a_larger_one_gets_a_413_in_every_framing() throws Exception {
        String fits = "{\"name\":\"n\"" + " ".repeat(16_384 - 12) + "}";
        assertEquals(201, app.send("POST", "/api/todos", token, fits).status());
        assertProblem(413, app.send("POST", "/api/todos", token, fits + " "));
        assertProblem(413, app.send("POST", "/api/todos", token, " ".repeat(500_000)));
        var chunked = BodyPublishers.ofInputStream(
                () -> new ByteArrayInputStream(" ".repeat(20_000).getBytes(StandardCharsets.US_ASCII)));
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + app.port() + "/api/auth/login"))
                .header("Content-Type", "application/json")
                .POST(chunked)
                .build();
        try (var client = HttpClient.newHttpClient()) {
            var response = client.send(request, BodyHandlers.ofString());
            assertEquals(413, response.statusCode());
            assertEquals("close", response.headers().firstValue("Connection").orElse(""));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[]", "\"x\"", "{\"username\":\"a\"}}", "{\"username\":nul}", "not json"})
    void malformed_json_gets_a_400_without_details_of_the_parser(String body) {
        var response = app.send("POST", "/api/auth/login", body);
        assertProblem(400, response);
        assertTrue(!response.text().contains("jackson") && !response.text().contains("Exception"), response.text());
    }

    @Test
    void all_errors_of_a_query_are_reported_in_one_response() {
        var response = app.get("/api/todos?status=done&limit=0&after=x&limt=5&limit=7", token);
        assertProblem(400, response);
        assertEquals(
                List.of("limit", "status", "limit", "after", "limt"),
                response.json().get("errors").findValuesAsString("field"));
    }

    @Test
    void a_request_body_that_the_route_does_not_expect_is_ignored() {
        assertEquals(200, app.send("GET", "/health/live", "{\"a\":1}").status());
        assertEquals(
                200,
                app.send("POST", "/api/auth/refresh", app.newToken(), "not json")
                        .status());
    }

    private static void assertProblem(int status, TestClient.Answer response) {
        assertEquals(status, response.status());
        assertEquals("application/problem+json", response.header("Content-Type"));
        assertEquals("about:blank", response.field("type"));
        assertEquals(status, response.json().get("status").asInt());
        assertTrue(
                !response.field("title").isEmpty() && !response.field("detail").isEmpty(), response.text());
    }
}
