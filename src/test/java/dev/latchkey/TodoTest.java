package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.nio.charset.StandardCharsets;
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
    void todos_may_take_so_many_bytes_as_stored_and_no_change_gets_around_that() throws Exception {
        try (var small = TestApp.start("MAX_TODO_BYTES_PER_USER", "4096")) {
            String owner = TestApp.newName();
            String own = small.foreignToken(owner);
            String id =
                    small.send("POST", "/api/todos", own, "{\"name\":\"x\"}").field("id");
            TestClient.Answer created;
            do {
                created = small.send("POST", "/api/todos", own, "{\"name\":\"" + "\u00e4".repeat(200) + "\"}");
            } while (created.status() == 201);
            assertEquals(409, created.status());
            assertTrue(created.text().contains("4096"), created.text());
            var patched = small.send("PATCH", "/api/todos/" + id, own, "{\"name\":\"" + "\u00e4".repeat(200) + "\"}");
            assertEquals(409, patched.status(), "the sum would be over the limit too");
            int stored = small.redis().hvals("todos:" + owner).stream()
                    .mapToInt(json -> json.getBytes(StandardCharsets.UTF_8).length)
                    .sum();
            assertTrue(stored <= 4096 && stored > 3500, "stored " + stored);
            assertEquals(
                    200,
                    small.send("PATCH", "/api/todos/" + id, own, "{\"name\":\"y\"}")
                            .status(),
                    "what does not grow is always possible");
        }
    }

    @Test
    void a_created_todo_is_answered_located_and_stored_alike() {
        var created = create("{\"name\":\"Buy milk\"}");
        assertEquals(201, created.status());
        String id = created.field("id");
        assertTrue(id.matches("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), id);
        assertEquals("/api/todos/" + id, created.header("Location"));
        String date = created.field("createdDate");
        assertEquals(
                "{\"id\":\"" + id + "\",\"name\":\"Buy milk\",\"status\":\"todo\",\"createdDate\":\"" + date
                        + "\",\"updatedDate\":\"" + date + "\"}",
                created.text());
        assertTrue(date.matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"), date);
        assertEquals(created.text(), app.redis().hget("todos:" + name, id));
        assertEquals(-1, app.redis().ttl("todos:" + name));
        var read = app.get(created.header("Location"), token);
        assertEquals(created.text(), read.text());
        assertEquals(created.header("ETag"), read.header("ETag"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"todo", "in progress", "complete"})
    void a_status_is_one_of_three(String status) {
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
    void what_does_not_validate_is_not_stored(String body) {
        var answer = create(body);
        assertEquals(400, answer.status());
        assertTrue(answer.json().get("errors").size() == 1, answer.text());
        assertEquals(0, app.redis().exists("todos:" + name));
    }

    @Test
    void a_name_has_at_most_200_code_points() {
        assertEquals(201, create("{\"name\":\"" + "😀".repeat(200) + "\"}").status());
        assertEquals(400, create("{\"name\":\"" + "n".repeat(201) + "\"}").status());
    }

    @Test
    void a_patch_changes_what_it_names_and_nothing_else() {
        var created = create("{\"name\":\"before\"}");
        String path = created.header("Location");
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
    void a_patch_that_changes_nothing_leaves_the_date_and_the_etag() {
        var created = create("{\"name\":\"same\"}");
        for (String body : List.of("{}", "{\"name\":\"same\"}", "{\"status\":\"todo\"}")) {
            var patched = app.send("PATCH", created.header("Location"), token, body);
            assertEquals(200, patched.status());
            assertEquals(created.text(), patched.text());
            assertEquals(created.header("ETag"), patched.header("ETag"));
        }
    }

    @Test
    void if_match_lets_only_the_named_state_be_changed() {
        var created = create("{\"name\":\"0\"}");
        String path = created.header("Location");
        String old = created.header("ETag");
        String current =
                conditional("PATCH", path, "{\"name\":\"1\"}", "If-Match", old).header("ETag");
        for (String stale : List.of(old, "W/" + current, "\"x\"", "", "garbage")) {
            assertEquals(
                    412,
                    conditional("PATCH", path, "{\"name\":\"2\"}", "If-Match", stale)
                            .status(),
                    stale);
            assertEquals(412, conditional("DELETE", path, "", "If-Match", stale).status(), stale);
            assertEquals(412, conditional("GET", path, "", "If-Match", stale).status(), stale);
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
    void if_none_match_spares_an_unchanged_body() {
        var created = create("{\"name\":\"n\"}");
        String path = created.header("Location");
        for (String same : List.of(created.header("ETag"), "W/" + created.header("ETag"), "*")) {
            var unchanged = conditional("GET", path, "", "If-None-Match", same);
            assertEquals(304, unchanged.status());
            assertEquals("", unchanged.text());
            assertEquals(created.header("ETag"), unchanged.header("ETag"));
        }
        assertEquals(200, conditional("GET", path, "", "If-None-Match", "\"x\"").status());
    }

    @Test
    void a_deleted_todo_is_gone() {
        String path = create("{\"name\":\"n\"}").header("Location");
        assertEquals(204, app.send("DELETE", path, token, "").status());
        for (String method : List.of("GET", "DELETE")) {
            assertEquals(404, app.send(method, path, token, "").status());
        }
        assertEquals(404, app.send("PATCH", path, token, "{\"name\":\"m\"}").status());
    }

    @Test
    void pages_follow_each_other_oldest_first_without_gaps() {
        List<String> made = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            made.add(create("{\"name\":\"" + i + "\",\"status\":\"" + (i % 3 == 0 ? "complete" : "todo") + "\"}")
                    .field("id"));
        }
        assertEquals(made, pages("/api/todos?limit=5", 12));
        assertEquals(made, pages("/api/todos?limit=6", 12));
        assertEquals(made, pages("/api/todos?", 12));
        List<String> complete = List.of(made.get(0), made.get(3), made.get(6), made.get(9));
        assertEquals(complete, pages("/api/todos?limit=3&status=complete", 4));
        assertEquals(List.of(), pages("/api/todos?status=in%20progress", 0));
        assertEquals(List.of(), pages("/api/todos?status=in+progress", 0));
    }

    /** Follows {@code next} to the end. */
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
    void a_page_goes_on_where_the_cursors_todo_was_deleted() {
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
                "limit=",
                "limit=1e2",
                "after=",
                "after=1",
                "status=",
                "page=1"
            })
    void a_bad_query_is_a_400(String query) {
        assertEquals(400, app.get("/api/todos?" + query, token).status());
    }
}
