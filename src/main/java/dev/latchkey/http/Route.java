package dev.latchkey.http;

import dev.latchkey.tokens.Caller;
import java.io.IOException;

/**
 * A row of the route table. A guarded handler takes the caller, and a client handler takes the client, so a route without
 * its authentication does not compile.
 */
public sealed interface Route {
    /** As a route's method: the route accepts every method, including OPTIONS. */
    String ANY = "*";

    /**
     * The authenticated caller, bound by the authentication filter for the duration of a guarded request. Never use
     * {@code HttpExchange.setAttribute} for it: on the JDK's server that map is shared by all requests of a context,
     * so one request would see the user of another.
     */
    ScopedValue<Caller> CALLER = ScopedValue.newInstance();

    /** Returns the method in upper case, or {@link #ANY}. A GET route also accepts HEAD. */
    String method();

    /** Returns the text of a {@link PathPattern}. */
    String path();

    /** A route that needs no credentials. */
    record Open(String method, String path, OpenHandler handler) implements Route {}

    /** A route that needs a valid bearer token. */
    record Guarded(String method, String path, GuardedHandler handler) implements Route {}

    /** A route that needs the credentials of a client, which is a program and not a user. */
    record ClientOnly(String method, String path, ClientAuthenticator authenticator, ClientHandler handler)
            implements Route {}

    /** Returns the response, or throws a {@link Problem}. */
    @FunctionalInterface
    interface OpenHandler {
        Response handle(Request request) throws IOException;
    }

    /** Returns the response to the caller, or throws a {@link Problem}. */
    @FunctionalInterface
    interface GuardedHandler {
        Response handle(Request request, Caller caller) throws IOException;
    }

    /** Returns the id of the client that sent the request, or throws a 401 {@link Problem}. */
    @FunctionalInterface
    interface ClientAuthenticator {
        String authenticate(Request request);
    }

    /** Returns the response to the client, or throws a {@link Problem}. */
    @FunctionalInterface
    interface ClientHandler {
        Response handle(Request request, String clientId) throws IOException;
    }
}
