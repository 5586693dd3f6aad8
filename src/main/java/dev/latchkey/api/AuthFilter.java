package dev.latchkey.api;

import com.sun.net.httpserver.HttpExchange;
import dev.latchkey.http.Authentication;
import dev.latchkey.http.ErrorCode;
import dev.latchkey.http.Problem;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.TokenKeys;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Authenticates a guarded request: validates the bearer token (RFC 6750 §2.1) and finds the caller, or throws a 401. */
public final class AuthFilter extends Authentication {
    private static final String SCHEME = "bearer";

    private final TokenKeys tokens;

    public AuthFilter(TokenKeys tokens) {
        this.tokens = tokens;
    }

    @Override
    public String description() {
        return "bearer token";
    }

    @Override
    public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
        String token = token(exchange.getRequestHeaders().get("Authorization"));
        String username = tokens.usernameFor(token);
        if (username == null) {
            throw invalidToken();
        }
        setCaller(new Caller(username, token));
        chain.doFilter(exchange);
    }

    private static String token(@Nullable List<String> headers) {
        if (headers == null) {
            String detail = "A bearer token is required: send Authorization: Bearer with the token from a login.";
            throw unauthorized(ErrorCode.CREDENTIALS_MISSING, detail);
        }
        // With two headers, a proxy in front may have checked the other one.
        String header = headers.size() == 1 ? headers.getFirst() : SCHEME;
        int start = SCHEME.length();
        boolean isSchemeOnly = header.length() == start; // handled as an invalid token
        if (!header.regionMatches(true, 0, SCHEME, 0, start) || !(isSchemeOnly || header.charAt(start) == ' ')) {
            throw unauthorized(ErrorCode.CREDENTIALS_MISSING, "The Authorization header must use the Bearer scheme.");
        }
        while (start < header.length() && header.charAt(start) == ' ') {
            start++;
        }
        return header.substring(start);
    }

    /** Returns the response to an unknown, expired or revoked token, which does not reveal which of them it is. */
    static Problem invalidToken() {
        return unauthorized(ErrorCode.INVALID_TOKEN, "The token is invalid, expired or revoked.");
    }

    /** Returns a 401 with a challenge, which has an error parameter only for an invalid token (RFC 6750 §3). */
    public static Problem unauthorized(ErrorCode code, String detail) {
        String error = code == ErrorCode.INVALID_TOKEN ? ", error=\"invalid_token\"" : "";
        return new Problem(code, detail).withHeader("WWW-Authenticate", "Bearer realm=\"latchkey\"" + error);
    }
}
