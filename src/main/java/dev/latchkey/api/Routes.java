package dev.latchkey.api;

import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import dev.latchkey.http.Route.ClientOnly;
import dev.latchkey.http.Route.Guarded;
import dev.latchkey.http.Route.Open;
import dev.latchkey.metrics.Registry;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The table of all routes. A guarded route needs a valid bearer token, a client-only route needs the credentials of the
 * client, and an open route needs no credentials.
 */
public final class Routes {
    private static final Map<String, String> OPENAPI_HEADERS =
            Map.of("Content-Type", "application/json", "Cache-Control", "max-age=300"); // seconds

    private Routes() {}

    /**
     * Returns the routes of the public port.
     *
     * @param client null if no client is configured: the routes for it then do not exist
     * @param todos null if the todo routes do not exist
     * @param demoPage whether the routes of the page exist
     */
    public static List<Route> of(
            AuthHandlers auth,
            SessionHandlers sessions,
            IntrospectionHandlers tokens,
            @Nullable ClientAuthentication client,
            @Nullable TodoHandlers todos,
            HealthHandlers health,
            boolean demoPage) {
        List<Route> routes = new ArrayList<>(List.of(
                new Open("POST", "/api/auth/register", auth::register),
                new Open("POST", "/api/auth/login", auth::login),
                new Guarded("POST", "/api/auth/refresh", auth::refresh),
                new Guarded("POST", "/api/auth/logout", auth::logout),
                new Guarded("GET", "/api/auth/me", auth::me),
                new Guarded(Route.ANY, "/api/auth/verify", auth::verify),
                new Guarded(Route.ANY, "/api/auth/verify/{*path}", auth::verify), // Envoy appends the client's path
                new Guarded("GET", "/api/auth/sessions", sessions::list),
                new Guarded("DELETE", "/api/auth/sessions", sessions::endAll),
                new Guarded("DELETE", "/api/auth/sessions/{id}", sessions::end),
                new Guarded("PUT", "/api/auth/password", auth::changePassword),
                new Guarded("DELETE", "/api/auth/account", auth::deleteAccount),
                new Open("GET", "/health/live", _ -> health.live()),
                new Open("GET", "/health/ready", _ -> health.ready()),
                new Open("GET", "/openapi.json", StaticFile.handler("openapi.json", OPENAPI_HEADERS))));
        if (client != null) {
            routes.add(new ClientOnly("POST", "/api/auth/introspect", client, tokens::introspect));
            routes.add(new ClientOnly("POST", "/api/auth/revoke", client, tokens::revoke));
        }
        if (todos != null) {
            routes.add(new Guarded("GET", "/api/todos", todos::list));
            routes.add(new Guarded("POST", "/api/todos", todos::create));
            routes.add(new Guarded("GET", "/api/todos/{id}", todos::get));
            routes.add(new Guarded("PATCH", "/api/todos/{id}", todos::patch));
            routes.add(new Guarded("DELETE", "/api/todos/{id}", todos::delete));
        }
        if (demoPage) {
            routes.addAll(DemoPage.routes());
        }
        return routes;
    }

    /** Returns the responses of the metrics port, by path. */
    public static Map<String, Supplier<Response>> ofMetricsPort(Registry registry, HealthHandlers health) {
        Supplier<Response> metrics = () -> {
            byte[] text = registry.text().getBytes(StandardCharsets.UTF_8);
            return Response.shared(Map.of("Content-Type", Registry.MEDIA_TYPE), text);
        };
        return Map.of("/metrics", metrics, "/health/live", health::live, "/health/ready", health::ready);
    }
}
