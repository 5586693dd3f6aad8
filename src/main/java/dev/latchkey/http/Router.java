package dev.latchkey.http;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Finds the route of a request. Paths match exactly: no prefix, no decoding, no trailing slash. The JDK's own contexts
 * match by prefix after percent-decoding, so that {@code /api/auth/meX} or {@code /api%2Fauth} would reach a handler.
 *
 * <p>The last segment of a route's path may be a placeholder, such as {@code {id}}. A placeholder such as {@code
 * {*rest}} stands for the whole rest of the path, whatever its characters.
 */
final class Router {
    // Unreserved characters only (RFC 3986 §2.3), so that escapes, slashes and dot segments never match.
    private static final Pattern PARAMETER = Pattern.compile("[A-Za-z0-9_-]{1,128}");

    // The routes of each path, by method.
    private final Map<String, Map<String, Route>> exact = new HashMap<>();
    private final Map<String, Map<String, Route>> patterns = new LinkedHashMap<>();

    Router(List<Route> routes) {
        for (Route route : routes) {
            var paths = route.path().endsWith("}") ? patterns : exact;
            Map<String, Route> byMethod = paths.computeIfAbsent(route.path(), _ -> new HashMap<>());
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
        for (var pattern : patterns.entrySet()) {
            int prefix = pattern.getKey().indexOf('{');
            if (rawPath.regionMatches(0, pattern.getKey(), 0, prefix)) {
                String value = rawPath.substring(prefix);
                boolean isRest = pattern.getKey().startsWith("{*", prefix);
                if (isRest || PARAMETER.matcher(value).matches()) {
                    return new Match(pattern.getValue(), value);
                }
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
