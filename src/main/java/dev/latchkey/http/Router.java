package dev.latchkey.http;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** From method and exact raw path to a handler; guarded ones only through the authentication filter. */
public final class Router implements HttpHandler {
    private final Map<String, Resource> exact = new HashMap<>();
    private final Map<PathPattern, Resource> patterns = new LinkedHashMap<>();
    private final Filter guard;
    private final int maxBodyBytes;
    private final int trustedProxyHops;

    /**
     * @param guard binds {@link Caller#CURRENT} and goes on, or throws a 401 {@link Problem}
     * @param maxBodyBytes a longer request body is a 413
     * @param trustedProxyHops how many proxies in front append to {@code X-Forwarded-For}
     */
    public Router(List<Route> routes, Filter guard, int maxBodyBytes, int trustedProxyHops) {
        this.guard = guard;
        this.maxBodyBytes = maxBodyBytes;
        this.trustedProxyHops = trustedProxyHops;
        for (Route route : routes) {
            PathPattern path = route.path();
            Resource resource = path.isExact()
                    ? exact.computeIfAbsent(path.text(), _ -> new Resource())
                    : patterns.computeIfAbsent(path, _ -> new Resource());
            resource.add(route);
        }
    }

    int maxBodyBytes() {
        return maxBodyBytes;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        String path = RequestHead.path(exchange);
        String parameter = "";
        Resource resource = exact.get(path);
        if (resource == null) {
            for (var entry : patterns.entrySet()) {
                String value = entry.getKey().match(path);
                if (value != null) {
                    resource = entry.getValue();
                    parameter = value;
                }
            }
        }
        if (resource == null) {
            throw new Problem(404, "Nothing is at this path.");
        }
        String method = exchange.getRequestMethod();
        Route route = resource.route(method);
        var request = new Request(exchange, parameter, maxBodyBytes, trustedProxyHops);
        switch (route) {
            case Route.Open open -> open.handler().handle(request).send(exchange);
            case Route.Guarded guarded ->
                guard.doFilter(
                        exchange,
                        new Filter.Chain(
                                List.of(),
                                e -> guarded.handler()
                                        .handle(request, Caller.CURRENT.get())
                                        .send(e)));
            case null -> {
                if (!method.equals("OPTIONS")) {
                    throw new Problem(405, "This path allows " + resource.allow + ".").with("Allow", resource.allow);
                }
                Response.noContent().with("Allow", resource.allow).send(exchange);
            }
        }
    }

    /** What one path answers to. */
    private static final class Resource {
        private final Map<String, Route> routes = new HashMap<>();
        private String allow = "";

        void add(Route route) {
            if (routes.put(route.method(), route) != null) {
                throw new IllegalArgumentException("two routes for " + route.method() + " " + route.path());
            }
            if (route.method().equals("GET")) {
                routes.put("HEAD", route);
            }
            var methods = new TreeSet<>(routes.keySet());
            methods.add("OPTIONS");
            allow = String.join(", ", methods);
        }

        @Nullable
        Route route(String method) {
            Route route = routes.get(method);
            return route == null ? routes.get(Route.ANY) : route;
        }
    }
}
