package dev.latchkey.http;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Finds the route of a request. Paths match exactly: no prefix, no decoding, no trailing slash. */
final class Router {
    private final Map<String, Resource> exact = new HashMap<>();
    private final Map<PathPattern, Resource> patterns = new LinkedHashMap<>();

    /** @param parameter the value of the path's placeholder; empty if it has none */
    record Match(Resource resource, String parameter) {}

    Router(List<Route> routes) {
        for (Route route : routes) {
            PathPattern path = route.path();
            Resource resource = path.isExact()
                    ? exact.computeIfAbsent(path.text(), _ -> new Resource())
                    : patterns.computeIfAbsent(path, _ -> new Resource());
            resource.add(route);
        }
    }

    /** Returns null if no route has this path. */
    @Nullable
    Match match(String rawPath) {
        Resource resource = exact.get(rawPath);
        if (resource != null) {
            return new Match(resource, "");
        }
        for (var entry : patterns.entrySet()) {
            String parameter = entry.getKey().match(rawPath);
            if (parameter != null) {
                return new Match(entry.getValue(), parameter);
            }
        }
        return null;
    }

    /** The routes of one path. */
    static final class Resource {
        private final Map<String, Route> routes = new HashMap<>();

        private void add(Route route) {
            if (routes.put(route.method(), route) != null) {
                throw new IllegalArgumentException("two routes for " + route.method() + " " + route.path());
            }
            if (route.method().equals("GET")) {
                routes.put("HEAD", route);
            }
        }

        /** Returns null if the path does not support the method. */
        @Nullable
        Route route(String method) {
            Route route = routes.get(method);
            return route == null ? routes.get(Route.ANY) : route;
        }

        /** Returns the methods that the path supports, as in the {@code Allow} header. */
        String allow() {
            var methods = new TreeSet<>(routes.keySet());
            methods.add("OPTIONS");
            return String.join(", ", methods);
        }
    }
}
