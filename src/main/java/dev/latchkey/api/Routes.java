package dev.latchkey.api;

import dev.latchkey.http.Route;
import dev.latchkey.http.Route.Guarded;
import dev.latchkey.http.Route.Open;
import java.util.List;

/** The table of all routes. A guarded route needs a valid bearer token; an open route needs no credentials. */
public final class Routes {
    private Routes() {}

    /** Returns the routes of the public port. */
    public static List<Route> of(AuthHandlers auth, TodoHandlers todos, HealthHandlers health) {
        return List.of(
                new Open("POST", "/api/auth/register", auth::register),
                new Open("POST", "/api/auth/login", auth::login),
                new Guarded("POST", "/api/auth/refresh", auth::refresh),
                new Guarded("POST", "/api/auth/logout", auth::logout),
                new Guarded("GET", "/api/auth/me", auth::me),
                new Guarded(Route.ANY, "/api/auth/verify", auth::verify),
                new Guarded(Route.ANY, "/api/auth/verify/{*path}", auth::verify), // Envoy appends the client's path
                new Guarded("GET", "/api/auth/sessions", auth::listSessions),
                new Guarded("DELETE", "/api/auth/sessions", auth::endAllSessions),
                new Guarded("DELETE", "/api/auth/sessions/{id}", auth::endSession),
                new Guarded("PUT", "/api/auth/password", auth::changePassword),
                new Guarded("DELETE", "/api/auth/account", auth::deleteAccount),
                new Guarded("GET", "/api/todos", todos::list),
                new Guarded("POST", "/api/todos", todos::create),
                new Guarded("GET", "/api/todos/{id}", todos::get),
                new Guarded("PATCH", "/api/todos/{id}", todos::patch),
                new Guarded("DELETE", "/api/todos/{id}", todos::delete),
                new Open("GET", "/health/live", health::live),
                new Open("GET", "/health/ready", health::ready));
    }

    /** Returns the routes of the metrics port. */
    public static List<Route> ofMetricsPort(MetricsHandler metrics, HealthHandlers health) {
        return List.of(
                new Open("GET", "/metrics", metrics::metrics),
                new Open("GET", "/health/live", health::live),
                new Open("GET", "/health/ready", health::ready));
    }
}
