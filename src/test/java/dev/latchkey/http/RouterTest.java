package dev.latchkey.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RouterTest {
    private static final Route TODO = new Route.Open("GET", "/api/todos/{id}", _ -> Response.NO_CONTENT);
    private static final Route REST = new Route.Open("GET", "/verify/{*path}", _ -> Response.NO_CONTENT);
    private final Router router = new Router(List.of(TODO, REST));

    private @Nullable String parameter(String path) {
        var match = router.match(path);
        return match == null ? null : match.parameter();
    }

    @Test
    void the_placeholder_matches_the_last_segment() {
        assertEquals("01a2-b_C", parameter("/api/todos/01a2-b_C"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/api/todos",
                "/api/todos/",
                "/api/todos//",
                "/api/todos/a/",
                "/api/todos/a/b",
                "/api/todosX/a",
                "/api/todos/.",
                "/api/todos/..",
                "/api/todos/a%2Fb",
                "/api/todos/%61",
                "/api/todos/a;b",
                "/API/todos/a",
                "x/api/todos/a",
                "/api/todos/{id}",
                ""
            })
    void other_paths_do_not_match(String path) {
        assertNull(router.match(path));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/", "/a/b", "/..", "//x", "/%2F;a=b"})
    void a_rest_placeholder_matches_every_path_below(String rest) {
        assertEquals(rest.substring(1), parameter("/verify" + rest));
        assertNull(router.match("/verif" + rest));
    }

    @Test
    void two_routes_with_the_same_method_and_path_are_rejected() {
        assertThrows(IllegalArgumentException.class, () -> new Router(List.of(TODO, TODO)));
    }
}
