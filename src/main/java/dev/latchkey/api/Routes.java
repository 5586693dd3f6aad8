package dev.latchkey.api;

import static dev.latchkey.http.Route.guarded;
import static dev.latchkey.http.Route.open;

import dev.latchkey.http.Route;
import java.util.List;

/** The table of all routes. A guarded route needs a valid bearer token; an open route needs no credentials. */
public final class Routes {
    private Routes() {}

    public static List<Route> of(AuthHandlers auth, TodoHandlers todos, HealthHandlers health) {
        return List.of(
                open("POST", "/api/auth/register", auth::register),
                open("POST", "/api/auth/login", auth::login),
                guarded("POST", "/api/auth/refresh", auth::refresh),
                guarded("POST", "/api/auth/logout", auth::logout),
                guarded("GET", "/api/auth/me", auth::me),
                guarded(Route.ANY, "/api/auth/verify", auth::verify),
                guarded("GET", "/api/auth/sessions", auth::listSessions),
                guarded("DELETE", "/api/auth/sessions", auth::endAllSessions),
                guarded("DELETE", "/api/auth/sessions/{id}", auth::endSession),
                guarded("PUT", "/api/auth/password", auth::changePassword),
                guarded("DELETE", "/api/auth/account", auth::deleteAccount),
                guarded("GET", "/api/todos", todos::list),
                guarded("POST", "/api/todos", todos::create),
                guarded("GET", "/api/todos/{id}", todos::get),
                guarded("PATCH", "/api/todos/{id}", todos::patch),
                guarded("DELETE", "/api/todos/{id}", todos::delete),
                open("GET", "/health/live", health::live),
                open("GET", "/health/ready", health::ready));
    }
}
