package dev.latchkey;

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
        var created = create("{\"name\":\"Buy milk\"}");
        assertEquals(201, created.status());
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
    @ValueSource(strings = {"todo", "in progress", "complete"})
    void a_todo_can_have_any_of_the_three_status_values(String status) {
        assertEquals(
                status, create("{\"name\":\"n\",\"status\":\"" + status + "\"}").field("status"));
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
        var response = create(body);
        assertEquals(400, response.status());
        assertTrue(response.json().get("errors").size() == 1, response.text());
        assertEquals(0, app.redis().exists("todos:" + name));
    }

    @Test
    void a_todo_name_has_at_most_200_code_points() {
        assertEquals(201, create("{\"name\":\"" + "😀".repeat(200) + "\"}").status());
        assertEquals(400, create("{\"name\":\"" + "n".repeat(201) + "\"}").status());
    }

    @Test
    void patch_changes_only_the_given_fields() {
        var created = create("{\"name\":\"before\"}");
        String path = created.todoPath();
        var patched = app.send("PATCH", path, token, "{\"status\":\"in progress\"}");
        assertEquals(200, patched.status());
        assertEquals("before in progress", patched.field("name") + " " + patched.field("status"));
        assertEquals(created.field("createdDate"), patched.field("createdDate"));
        assertTrue(patched.field("updatedDate").compareTo(created.field("updatedDate")) >= 0);
        assertNotEquals(created.header("ETag"), patched.header("ETag"));
        var read = app.get(path, token);
        assertEquals(patched.text(), read.text());
        assertEquals(patched.header("ETag"), read.header("ETag"));
        assertEquals(
                400,
                app.send("PATCH", path, token, "{\"status\":\"no\",\"createdDate\":\"x\"}")
                        .status());
        assertEquals(read.text(), app.get(path, token).text());
    }

    @Test
    void patch_without_changes_keeps_the_date_and_the_etag() {
        var created = create("{\"name\":\"same\"}");
        for (String body : List.of("{}", "{\"name\":\"same\"}", "{\"status\":\"todo\"}")) {
            var patched = app.send("PATCH", created.todoPath(), token, body);
            assertEquals(200, patched.status());
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
                var refused = conditional(method, path, "{\"name\":\"2\"}", "If-Match", stale);
                assertEquals(412, refused.status(), method + stale);
                assertEquals(
                        stale.contains("W/"),
                        refused.field("detail").contains("A weak ETag (W/) never matches"),
                        method + stale);
            }
        }
        assertEquals("1", app.get(path, token).field("name"));
        String next = conditional("PATCH", path, "{\"name\":\"3\"}", "If-Match", "\"x\", " + current)
                .header("ETag");
        assertEquals(
                200,
                conditional("PATCH", path, "{\"name\":\"4\"}", "If-Match", "*").status());
        assertEquals(412, conditional("DELETE", path, "", "If-Match", next).status());
        assertEquals(
                204,
                conditional("DELETE", path, "", "If-Match", app.get(path, token).header("ETag"))
                        .status());
        assertEquals(
                404,
                conditional("PATCH", path, "{\"name\":\"5\"}", "If-Match", "*").status());
    }

    @Test
    void if_none_match_omits_the_body_of_an_unchanged_todo() {
        var created = create("{\"name\":\"n\"}");
        String path = created.todoPath();
        String etag = created.header("ETag");
        for (String same : List.of(etag, "W/" + etag, "*", "\"x\", W/" + etag)) {
            var unchanged = conditional("GET", path, "", "If-None-Match", same);
            assertEquals(304, unchanged.status());
            assertEquals("", unchanged.text());
            assertEquals(created.header("ETag"), unchanged.header("ETag"));
        }
        for (String other : List.of("\"x\"", "W/\"x\"", "\"W/" + etag.substring(1), "\"x\", *", "")) {
            assertEquals(
                    200, conditional("GET", path, "", "If-None-Match", other).status(), other);
        }
    }

    @Test
    void a_deleted_todo_no_longer_exists() {
        String path = create("{\"name\":\"n\"}").todoPath();
        assertEquals(204, app.send("DELETE", path, token, "").status());
        for (String method : List.of("GET", "DELETE")) {
            assertEquals(404, app.send(method, path, token, "").status());
        }
        assertEquals(404, app.send("PATCH", path, token, "{\"name\":\"m\"}").status());
    }

    @Test
    void pages_list_todos_oldest_first_without_gaps() {
        List<String> createdIds = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            createdIds.add(create("{\"name\":\"" + i + "\",\"status\":\"" + (i % 3 == 0 ? "complete" : "todo") + "\"}")
                    .field("id"));
        }
        assertEquals(createdIds, pages("/api/todos?limit=5", 12));
        assertEquals(createdIds, pages("/api/todos?limit=6", 12));
        assertEquals(createdIds, pages("/api/todos?", 12));
        List<String> complete = List.of(createdIds.get(0), createdIds.get(3), createdIds.get(6), createdIds.get(9));
        assertEquals(complete, pages("/api/todos?limit=3&status=complete", 4));
        assertEquals(List.of(), pages("/api/todos?status=in%20progress", 0));
        assertEquals(List.of(), pages("/api/todos?status=in+progress", 0));
    }

    /** Follows {@code next} to the last page, and returns the ids of all todos. */
    private List<String> pages(String path, int total) {
        List<String> ids = new ArrayList<>();
        String after = "";
        do {
            var page = app.get(path + (after.isEmpty() ? "" : "&after=" + after), token);
            assertEquals(200, page.status());
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
        assertEquals(400, app.get("/api/todos?" + query, token).status());
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
