package dev.latchkey.http;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Finds the route of a request. Paths match exactly: no prefix, no decoding, no trailing slash. */
final class Router {
    // The routes of each path, by method.
    private final Map<String, Map<String, Route>> exact = new HashMap<>();
    private final Map<PathPattern, Map<String, Route>> patterns = new LinkedHashMap<>();

    Router(List<Route> routes) {
        for (Route route : routes) {
            var path = new PathPattern(route.path());
            Map<String, Route> byMethod = path.isExact()
                    ? exact.computeIfAbsent(path.text(), _ -> new HashMap<>())
                    : patterns.computeIfAbsent(path, _ -> new HashMap<>());
            if (byMethod.put(route.method(), route) != null) {
                throw new IllegalArgumentException("two routes for " + route.method() + " " + route.path());
            }
            if (route.method().equals("GET")) {
                byMethod.put("HEAD", route);
            }
        }
    }

    /** Returns null if no route has this path. */
    @Nullable
    Match match(String rawPath) {
        Map<String, Route> routes = exact.get(rawPath);
        if (routes != null) {
            return new Match(routes, "");
        }
        for (var entry : patterns.entrySet()) {
            String parameter = entry.getKey().match(rawPath);
            if (parameter != null) {
                return new Match(entry.getValue(), parameter);
            }
        }
        return null;
    }

    /**
     * The routes of one path.
     *
     * @param routes by method
     * @param parameter the value of the path's placeholder; empty if it has none
     */
    record Match(Map<String, Route> routes, String parameter) {
        /** Returns null if the path does not support the method. */
        @Nullable
        Route route(String method) {
            Route route = routes.get(method);
            return route == null ? routes.get(Route.ANY) : route;
        }

        /** Returns the path as in the route table. */
        String path() {
            return routes.values().iterator().next().path();
        }

        /** Returns the methods that the path supports, as in the {@code Allow} header. */
        String allow() {
            var methods = new TreeSet<>(routes.keySet());
            methods.add("OPTIONS");
            return String.join(", ", methods);
        }
    }
}
