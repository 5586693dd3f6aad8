package dev.latchkey.http;

import dev.latchkey.tokens.Caller;
import java.io.IOException;
import java.util.function.Function;

/**
 * A row of the route table. A guarded handler takes the caller, and a client handler takes the client, so a route without
 * its authentication does not compile.
 */
public sealed interface Route {
    /** As a route's method: the route accepts every method, including OPTIONS. */
    String ANY = "*";

    /** Returns the method in upper case, or {@link #ANY}. A GET route also accepts HEAD. */
    String method();

    /** Returns the path, which may end with a placeholder, see {@link Router}. */
    String path();

    /** A route that needs no credentials. */
    record Open(String method, String path, OpenHandler handler) implements Route {}

    /** A route that needs a valid bearer token. */
    record Guarded(String method, String path, Handler<Caller> handler) implements Route {}

    /**
     * A route that needs the credentials of a client, which is a program and not a user.
     *
     * @param authentication returns the id of the client that sent the request, or throws a 401 {@link Problem}
     */
    record ClientOnly(String method, String path, Function<Request, String> authentication, Handler<String> handler)
            implements Route {}

    /** Returns the response, or throws a {@link Problem}. */
    @FunctionalInterface
    interface OpenHandler {
        Response handle(Request request) throws IOException;
    }

    /** Returns the response to the caller or client, or throws a {@link Problem}. */
    @FunctionalInterface
    interface Handler<C> {
        Response handle(Request request, C callerOrClientId) throws IOException;
    }
}
