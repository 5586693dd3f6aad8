package dev.latchkey.http;

/** Who the bearer token of the current request stands for. Not a record: its toString would print the token. */
public final class Caller {
    /**
     * Bound by the authentication filter for the time of one guarded request. A {@link ScopedValue}, never {@code
     * HttpExchange.setAttribute}: on the JDK's server that map is shared by all requests of a context, so one request's
     * user would show up in another's.
     */
    public static final ScopedValue<Caller> CURRENT = ScopedValue.newInstance();

    private final String username;
    private final String token;

    public Caller(String username, String token) {
        this.username = username;
        this.token = token;
    }

    public String username() {
        return username;
    }

    /** The token as presented, for routes that replace or revoke it. */
    public String token() {
        return token;
    }

    @Override
    public String toString() {
        return username;
    }
}
