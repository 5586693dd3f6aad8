package dev.latchkey.auth;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import dev.latchkey.http.Caller;
import dev.latchkey.http.Problem;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Stands before every guarded handler: one bearer token (RFC 6750 §2.1) in, the caller's identity out, or a 401. */
public final class AuthFilter extends Filter {
    private static final String SCHEME = "bearer";

    private final TokenStore tokens;

    public AuthFilter(TokenStore tokens) {
        this.tokens = tokens;
    }

    @Override
    public String description() {
        return "bearer token";
    }

    @Override
    public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
        String token = token(exchange.getRequestHeaders().get("Authorization"));
        String username = tokens.find(token);
        if (username == null) {
            throw invalidToken();
        }
        ScopedValue.where(Caller.CURRENT, new Caller(username, token)).<Void, IOException>call(() -> {
            chain.doFilter(exchange);
            return null;
        });
    }

    /**
     * Asks once more, in the midst of a request.
     *
     * @throws Problem 401 where the caller's token has died meanwhile
     */
    public void requireLive(Caller caller) {
        if (tokens.find(caller.token()) == null) {
            throw invalidToken();
        }
    }

    private static String token(@Nullable List<String> headers) {
        if (headers == null) {
            throw unauthorized("This needs a bearer token: send Authorization: Bearer with one from login.", "");
        }
        // of two, a proxy in front may have looked at the other
        String header = headers.size() == 1 ? headers.getFirst() : SCHEME;
        int start = SCHEME.length();
        boolean alone = header.length() == start; // no token at all: an invalid one
        if (!header.regionMatches(true, 0, SCHEME, 0, start) || !(alone || header.charAt(start) == ' ')) {
            throw unauthorized("This needs a token of the Bearer scheme.", "");
        }
        while (start < header.length() && header.charAt(start) == ' ') {
            start++;
        }
        return header.substring(start);
    }

    /** For a token that is unknown, expired or revoked: which of them is nobody's business. */
    static Problem invalidToken() {
        return unauthorized("The token is invalid, expired or revoked.", ", error=\"invalid_token\"");
    }

    /** A 401 as RFC 6750 §3 wants it: where no token came, the challenge has no error code. */
    static Problem unauthorized(String detail, String error) {
        return new Problem(401, detail).with("WWW-Authenticate", "Bearer realm=\"latchkey\"" + error);
    }
}
