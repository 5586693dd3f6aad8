package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TodoTest {
    @AutoClose
    private static TestApp app;

    private String name;
    private String token;

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start();
    }

    @BeforeEach
    void newUser() {
        name = TestApp.newName();
        token = app.foreignToken(name);
    }

    private TestClient.Answer create(String body) {
        return app.send("POST", "/api/todos", token, body);
    }

    private TestClient.Answer conditional(String method, String path, String body, String header, String etag) {
        return app.send(method, path, body, "Authorization", "Bearer " + token, header, etag);
    }

    @Test
    void with_todo_api_false_no_todo_route_exists_and_all_others_do() throws Exception {
        try (var without = TestApp.start("TODO_API", "false");
                var client = TestClient.ofOtherServer(without.port())) { // openapi.json describes the routes
            String its = without.foreignToken(name);
            for (String path : List.of("/api/todos", "/api/todos/0198c000-0000-7000-8000-000000000000")) {
                for (String method : List.of("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS")) {
                    assertEquals(404, client.send(method, path, its, "").status(), method + " " + path);
                }
            }
            assertEquals(200, client.get("/api/auth/verify", its).status());
        }
    }

    @Test
    void creating_a_todo_returns_it_as_stored_with_its_location() {
        var created = expect(201, create("{\"name\":\"Buy milk\"}"));
        String id = created.field("id");
        assertTrue(id.matches("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), id);
        assertEquals("todos/" + id, created.header("Location"));
        assertEquals(
                URI.create("http://h/prefix/api/todos/" + id),
                URI.create("http://h/prefix/api/todos").resolve(created.header("Location")));
        String date = created.field("createdDate");
        assertEquals(
                "{\"id\":\"" + id + "\",\"name\":\"Buy milk\",\"status\":\"todo\",\"createdDate\":\"" + date
                        + "\",\"updatedDate\":\"" + date + "\"}",
                created.text());
        assertTrue(date.matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"), date);
        assertEquals(created.text(), app.redis().hget("todos:" + name, id));
        assertEquals(-1, app.redis().ttl("todos:" + name));
        var read = app.get(created.todoPath(), token);
        assertEquals(created.text(), read.text());
        assertEquals(created.header("ETag"), read.header("ETag"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"name\":\"\"}",
                "{\"name\":\" \"}",
                "{\"name\":null}",
                "{\"name\":1}",
                "{\"name\":\"a\\nb\"}",
                "{\"name\":[\"a\"]}",
                "{\"name\":\"n\",\"status\":\"done\"}",
                "{\"name\":\"n\",\"status\":\"TODO\"}",
                "{\"name\":\"n\",\"status\":null}",
                "{\"name\":\"n\",\"id\":\"x\"}",
                "{\"name\":\"n\",\"name\":\"m\"}"
            })
    void an_invalid_todo_is_refused_and_not_stored(String body) {
        var response = expect(400, create(body));
        assertEquals(1, response.json().get("errors").size(), response.text());
        assertEquals(0, app.redis().exists("todos:" + name));
    }

    @Test
    void a_todo_name_has_at_most_200_code_points() {
        expect(201, create("{\"name\":\"" + "😀".repeat(200) + "\"}"));
        expect(400, create("{\"name\":\"" + "n".repeat(201) + "\"}"));
    }

    @Test
    void patch_changes_only_the_given_fields() {
        var created = create("{\"name\":\"before\"}");
        String path = created.todoPath();
        var patched = expect(200, app.send("PATCH", path, token, "{\"status\":\"in progress\"}"));
        assertEquals("before in progress", patched.field("name") + " " + patched.field("status"));
        assertEquals(created.field("createdDate"), patched.field("createdDate"));
        assertTrue(patched.field("updatedDate").compareTo(created.field("updatedDate")) >= 0);
        assertNotEquals(created.header("ETag"), patched.header("ETag"));
        var read = app.get(path, token);
        assertEquals(patched.text(), read.text());
        assertEquals(patched.header("ETag"), read.header("ETag"));
        expect(400, app.send("PATCH", path, token, "{\"status\":\"no\",\"createdDate\":\"x\"}"));
        assertEquals(read.text(), app.get(path, token).text());
    }

    @Test
    void patch_without_changes_keeps_the_date_and_the_etag() {
        var created = create("{\"name\":\"same\"}");
        for (String body : List.of("{}", "{\"name\":\"same\"}", "{\"status\":\"todo\"}")) {
            var patched = expect(200, app.send("PATCH", created.todoPath(), token, body));
            assertEquals(created.text(), patched.text());
            assertEquals(created.header("ETag"), patched.header("ETag"));
        }
    }

    @Test
    void if_match_allows_changes_only_to_the_given_version() {
        var created = create("{\"name\":\"0\"}");
        String path = created.todoPath();
        String old = created.header("ETag");
        String current =
                conditional("PATCH", path, "{\"name\":\"1\"}", "If-Match", old).header("ETag");
        for (String stale :
                List.of(old, "W/" + current, "\"x\",W/" + current, "\"x\"", "\"x\", *", "", ",", "garbage")) {
            for (String method : List.of("PATCH", "DELETE", "GET")) {
                assertEquals(
                        412,
                        conditional(method, path, "{\"name\":\"2\"}", "If-Match", stale)
                                .status(),
                        method + stale);
            }
        }
        assertEquals("1", app.get(path, token).field("name"));
        String next = conditional("PATCH", path, "{\"name\":\"3\"}", "If-Match", "\"x\", " + current)
                .header("ETag");
        expect(200, conditional("PATCH", path, "{\"name\":\"4\"}", "If-Match", "*"));
        expect(412, conditional("DELETE", path, "", "If-Match", next));
        String last = app.get(path, token).header("ETag");
        expect(204, conditional("DELETE", path, "", "If-Match", last));
        expect(404, conditional("PATCH", path, "{\"name\":\"5\"}", "If-Match", "*"));
    }

    @Test
    void if_none_match_omits_the_body_of_an_unchanged_todo() {
        var created = create("{\"name\":\"n\"}");
        String path = created.todoPath();
        String etag = created.header("ETag");
        for (String same : List.of(etag, "W/" + etag, "*", "\"x\", W/" + etag)) {
            var unchanged = expect(304, conditional("GET", path, "", "If-None-Match", same));
            assertEquals("", unchanged.text());
            assertEquals(created.header("ETag"), unchanged.header("ETag"));
        }
        for (String other : List.of("\"x\"", "W/\"x\"", "\"W/" + etag.substring(1), "\"x\", *", "")) {
            expect(200, conditional("GET", path, "", "If-None-Match", other));
        }
    }

    /** RFC 9110 §13.1.2: otherwise a change would overwrite what its sender believes not to exist. */
    @Test
    void if_none_match_refuses_a_change_of_a_todo_that_matches() {
        var created = create("{\"name\":\"n\"}");
        String path = created.todoPath();
        String etag = created.header("ETag");
        for (String same : List.of("*", etag, "W/" + etag, "\"x\", " + etag)) {
            expect(412, conditional("PATCH", path, "{\"name\":\"m\"}", "If-None-Match", same));
            expect(412, conditional("DELETE", path, "", "If-None-Match", same));
        }
        var both = app.with("If-Match", "\"x\"")
                .send("PATCH", path, "{\"name\":\"m\"}", "Authorization", "Bearer " + token, "If-None-Match", "*");
        assertTrue(expect(412, both).field("detail").startsWith("If-Match"), both.text());
        expect(200, conditional("PATCH", path, "{\"name\":\"m\"}", "If-None-Match", "\"x\""));
        expect(204, conditional("DELETE", path, "", "If-None-Match", "\"x\""));
        expect(404, conditional("PATCH", path, "{\"name\":\"m\"}", "If-None-Match", "*"));
    }

    @Test
    void a_deleted_todo_no_longer_exists() {
        String path = create("{\"name\":\"n\"}").todoPath();
        expect(204, app.send("DELETE", path, token, ""));
        for (String method : List.of("GET", "DELETE")) {
            expect(404, app.send(method, path, token, ""));
        }
        expect(404, app.send("PATCH", path, token, "{\"name\":\"m\"}"));
    }

    @Test
    void pages_list_todos_oldest_first_without_gaps() {
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            String status = List.of("complete", "todo", "in progress").get(i % 3);
            var created = create("{\"name\":\"" + i + "\",\"status\":\"" + status + "\"}");
            assertEquals(status, created.field("status"));
            ids.add(created.field("id"));
        }
        assertEquals(ids, pages("/api/todos?limit=5", 12));
        assertEquals(ids, pages("/api/todos?limit=6", 12));
        assertEquals(ids, pages("/api/todos?", 12));
        List<String> complete = List.of(ids.get(0), ids.get(3), ids.get(6), ids.get(9));
        assertEquals(complete, pages("/api/todos?limit=3&status=complete", 4));
        List<String> inProgress = List.of(ids.get(2), ids.get(5), ids.get(8), ids.get(11));
        assertEquals(inProgress, pages("/api/todos?status=in%20progress", 4));
        assertEquals(inProgress, pages("/api/todos?status=in+progress", 4));
    }

    /** Follows {@code next} to the last page, and returns the ids of all todos. */
    private List<String> pages(String path, int total) {
        List<String> ids = new ArrayList<>();
        String after = "";
        do {
            var page = expect(200, app.get(path + (after.isEmpty() ? "" : "&after=" + after), token));
            assertEquals(total, page.json().get("total").asInt());
            ids.addAll(page.json().get("todos").findValuesAsString("id"));
            after = page.json().get("next").isNull() ? "" : page.field("next");
        } while (!after.isEmpty());
        return ids;
    }

    @Test
    void pagination_continues_after_the_todo_of_the_cursor_is_deleted() {
        String first = create("{\"name\":\"1\"}").field("id");
        String second = create("{\"name\":\"2\"}").field("id");
        app.send("DELETE", "/api/todos/" + first, token, "");
        assertEquals(List.of(second), pages("/api/todos?limit=1&after=" + first, 1));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "limit=0",
                "limit=201",
                "limit=-1",
                "limit=x",
                "limit=1e2",
                "after=1",
                "page=1",
                "page=",
                "status=&status=",
                "status=&status=todo",
                "limit=%20"
            })
    void an_invalid_query_gets_a_400(String query) {
        expect(400, app.get("/api/todos?" + query, token));
    }

    @ParameterizedTest
    @ValueSource(strings = {"status=&limit=&after=", "status=", "limit=", "after=", "status&limit", "&&"})
    void an_empty_value_in_a_query_counts_as_absent(String query) {
        create("{\"name\":\"n\"}");
        assertEquals(
                app.get("/api/todos", token).text(),
                app.get("/api/todos?" + query, token).text());
    }
}
