package dev.latchkey.http;

import com.sun.net.httpserver.Filter;
import dev.latchkey.tokens.Caller;
import org.jspecify.annotations.Nullable;

/**
 * Authenticates one guarded request. Each request has a filter of its own, which holds the caller that it has found.
 * Never use {@code HttpExchange.setAttribute} for that: on the JDK's server that map is shared by all requests of a
 * context, so one request would see the user of another.
 */
public abstract class Authentication extends Filter {
    private @Nullable Caller caller;

    protected final void setCaller(Caller caller) {
        this.caller = caller;
    }

    final Caller caller() {
        if (caller == null) {
            throw new IllegalStateException("the request is not authenticated");
        }
        return caller;
    }
}
