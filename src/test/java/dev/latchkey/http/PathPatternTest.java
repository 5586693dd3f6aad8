package dev.latchkey.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PathPatternTest {
    private final PathPattern todo = new PathPattern("/api/todos/{id}");

    @Test
    void the_placeholder_matches_the_last_segment() {
        assertEquals("01a2-b_C", todo.match("/api/todos/01a2-b_C"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/api/todos", "/api/todos/", "/api/todos//", "/api/todos/a/", "/api/todos/a/b", "/api/todosX/a",
                        "/api/todos/.",
                "/api/todos/..", "/api/todos/a%2Fb", "/api/todos/%61", "/api/todos/a;b", "/API/todos/a",
                        "x/api/todos/a", ""
            })
    void other_paths_do_not_match(String path) {
        assertNull(todo.match(path));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/", "/a/b", "/..", "//x", "/%2F;a=b"})
    void a_rest_placeholder_matches_every_path_below(String rest) {
        assertEquals(rest.substring(1), new PathPattern("/verify/{*path}").match("/verify" + rest));
        assertNull(new PathPattern("/verify/{*path}").match("/verif" + rest));
    }

    @ParameterizedTest
    @ValueSource(strings = {"todos", "/a/{id}/b", "/a/b{id}", "/a/{id"})
    void a_malformed_pattern_is_rejected(String pattern) {
        assertThrows(IllegalArgumentException.class, () -> new PathPattern(pattern));
    }
}
