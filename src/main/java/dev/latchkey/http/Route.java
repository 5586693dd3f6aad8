package dev.latchkey.http;

import java.io.IOException;

/** One row of a route table. A guarded handler takes the caller: one that forgets authentication does not compile. */
public sealed interface Route {
    /** As {@link #method}: every method is answered alike, OPTIONS included. */
    String ANY = "*";

    /** Exact, upper case; or {@link #ANY}. A GET route answers HEAD too. */
    String method();

    PathPattern path();

    record Open(String method, PathPattern path, OpenHandler handler) implements Route {}

    record Guarded(String method, PathPattern path, GuardedHandler handler) implements Route {}

    /** Throws {@link Problem} for an answer other than success, as {@link GuardedHandler} does. */
    @FunctionalInterface
    interface OpenHandler {
        Response handle(Request request) throws IOException;
    }

    @FunctionalInterface
    interface GuardedHandler {
        Response handle(Request request, Caller caller) throws IOException;
    }

    static Route open(String method, String path, OpenHandler handler) {
        return new Open(method, new PathPattern(path), handler);
    }

    static Route guarded(String method, String path, GuardedHandler handler) {
        return new Guarded(method, new PathPattern(path), handler);
    }
}
