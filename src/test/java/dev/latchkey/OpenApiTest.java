package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.latchkey.testing.OpenApiDocument;
import dev.latchkey.testing.ResponseContract;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestClient.Answer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** The document {@code openapi.json}, and {@link ResponseContract}, which compares every response with it. */
class OpenApiTest {
    private static final Path FILE = Path.of("src/main/resources/dev/latchkey/api/openapi.json");
    private static final ResponseContract CONTRACT = new ResponseContract();

    @AutoClose
    private static TestApp app;

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start();
    }

    @Test
    void the_document_has_exactly_the_routes_of_the_router_with_their_guards() throws Exception {
        String table = Files.readString(Path.of("src/main/java/dev/latchkey/api/Routes.java"));
        Map<String, String> schemes = Map.of("Open", "[]", "Guarded", "[token]", "ClientOnly", "[client]");
        var routes = new TreeSet<String>();
        Pattern.compile("new (Open|Guarded|ClientOnly)\\(\\s*\"?([A-Z]+|Route\\.ANY)\"?,\\s*\"([^\"]+)\"")
                .matcher(table)
                .results()
                .map(route -> route.group(2).replace("Route.ANY", "any") + " "
                        + route.group(3).replace("{*", "{") + " " + schemes.get(route.group(1)))
                .forEach(routes::add);
        assertEquals(
                table.split("new \\w+\\(\\s*(\"[A-Z]+\"|Route)", -1).length - 1, routes.size(), "each route was found");
        var documented = new TreeSet<String>();
        for (var item : OpenApiDocument.INSTANCE.paths()) {
            item.operations()
                    .forEach((method, operation) -> documented.add(
                            (item.anyMethod() ? "any" : method) + " " + item.path() + " " + operation.security()));
        }
        assertEquals(String.join("\n", routes), String.join("\n", documented));
    }

    @Test
    void the_document_is_sent_as_it_is_in_the_source_and_needs_no_credentials() throws Exception {
        assertEquals(
                Files.readString(FILE), app.send("GET", "/openapi.json", "").text());
        var head = expect(200, app.send("HEAD", "/openapi.json", ""));
        assertEquals(Long.toString(Files.size(FILE)), head.header("Content-Length"));
    }

    @Test
    void a_client_may_keep_the_document_for_five_minutes() {
        assertEquals(
                "max-age=300", expect(200, app.send("GET", "/openapi.json", "")).header("Cache-Control"));
    }

    /** A generated client must not fail when a later version adds a field to a response. */
    @Test
    void requests_refuse_unknown_fields_and_responses_may_have_more() throws Exception {
        JsonNode schemas = app.send("GET", "/openapi.json", "").json().at("/components/schemas");
        Set<String> closed = new TreeSet<>();
        schemas.forEachEntry((name, schema) -> {
            if (schema.path("additionalProperties").toString().equals("false")) {
                closed.add(name);
            }
        });
        assertEquals(
                Set.of(
                        "NewCredentials",
                        "Credentials",
                        "PasswordChange",
                        "PasswordConfirmation",
                        "NewTodo",
                        "TodoChange"),
                closed);
    }

    @Test
    void the_client_of_the_tests_compares_every_response_with_the_document() throws Exception {
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            byte[] body = "{\"status\":\"up\"}".getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "text/plain");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        try (var client = new TestClient(server.getAddress().getPort())) {
            assertThrows(AssertionError.class, () -> client.send("GET", "/health/live", ""));
        } finally {
            server.stop(0);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "status 201 | the status code is not documented",
                "status 404 | the status code is not documented",
                "status 405 | the status code is not documented",
                "status 503 | header retry-after is required",
                "header Content-Type: application/json;charset=utf-8 | the media type must be one of",
                "header Content-Type: | the media type must be one of",
                "header X-Request-Id: | header x-request-id is required",
                "header X-Request-Id: a b | header x-request-id",
                "header X-Content-Type-Options: | header x-content-type-options is required",
                "header Cache-Control: | Cache-Control must be no-store",
                "header Cache-Control: no-cache | Cache-Control must be no-store",
                "header Server: x | header server is not documented",
                "body {} | required property 'username' not found",
                "body {\"username\":\"alice\"} | required property 'createdDate' not found",
                "body {\"username\":\"Alice\",\"createdDate\":\"2026-03-19T12:00:00.000Z\"} | /username",
                "body {\"username\":1,\"createdDate\":\"2026-03-19T12:00:00.000Z\"} | /username",
                "body {\"username\":\"alice\",\"createdDate\":\"2026-03-19T12:00:00Z\"} | /createdDate",
                "body {\"username\":\"alice\",\"createdDate\":\"2026-13-19T12:00:00.000Z\"} | /createdDate",
                "body {\"username\":\"alice\",\"createdDate\":\"2026-03-19T12:00:00.000Z\",\"a\":1} | property 'a'",
                "body | body: ",
                "body {} {} | body: ",
            })
    void a_response_that_differs_from_the_document_fails_the_test(String change, String expected) {
        var good = app.get("/api/auth/me", app.newToken());
        CONTRACT.observe("GET", "/api/auth/me", good);
        String[] parts = change.split(" ", 2);
        String value = parts.length == 1 ? "" : parts[1];
        Answer changed = switch (parts[0]) {
            case "status" -> new Answer(Integer.parseInt(value), good.headers(), good.text());
            case "body" -> new Answer(good.status(), good.headers(), value);
            default -> withHeader(good, value);
        };
        assertDiffers("GET", "/api/auth/me", changed, expected);
    }

    private static Answer withHeader(Answer answer, String header) {
        String[] parts = header.split(": ?", 2);
        var headers = new HashMap<>(answer.headers());
        headers.keySet().removeIf(parts[0]::equalsIgnoreCase);
        if (!parts[1].isEmpty()) {
            headers.put(parts[0], List.of(parts[1]));
        }
        return new Answer(answer.status(), headers, answer.text());
    }

    private static void assertDiffers(String method, String path, Answer answer, String expected) {
        var error = assertThrows(AssertionError.class, () -> CONTRACT.observe(method, path, answer));
        assertTrue(String.valueOf(error.getMessage()).contains(expected), error::getMessage);
    }

    @Test
    void an_error_that_differs_from_the_document_fails_the_test() {
        var unauthorized = app.send("GET", "/api/auth/me", "");
        assertDiffers(
                "GET", "/api/auth/me", withHeader(unauthorized, "WWW-Authenticate:"), "www-authenticate is required");
        assertDiffers("GET", "/api/auth/me", withHeader(unauthorized, "WWW-Authenticate: Bearer"), "www-authenticate");
        assertDiffers("GET", "/api/auth/unknown", unauthorized, "the status code is not documented");
        assertDiffers("HEAD", "/api/auth/me", unauthorized, "a response to HEAD has no body");
        String other = unauthorized.text().replace("401", "402");
        var changed = new Answer(401, unauthorized.headers(), other);
        assertDiffers("GET", "/api/auth/me", changed, "status must be the status code");
        for (String method : List.of("OPTIONS", "PUT")) {
            var allowed = app.send(method, "/api/auth/me", "");
            assertDiffers(
                    method, "/api/auth/me", withHeader(allowed, "Allow: GET"), "Allow must be GET, HEAD, OPTIONS");
        }
        var unknown = app.send("GET", "/api/auth/unknown", "");
        assertDiffers("GET", "/api/auth/me", unknown, "the status code is not documented");
    }
}
