package dev.latchkey.api;

import dev.latchkey.accounts.Audit;
import dev.latchkey.http.Request;
import dev.latchkey.http.RequestFields;
import dev.latchkey.http.Response;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.TokenKeys.ValidToken;
import dev.latchkey.tokens.TokenStore;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/** Introspection (RFC 7662) and revocation (RFC 7009), for programs with the client credentials. */
public record IntrospectionHandlers(TokenStore tokens) {
    // An inactive token gets no reason (RFC 7662 §2.2).
    private static final Response INACTIVE = Response.json(200, Map.of("active", false));

    Response introspect(Request request, String clientId) throws IOException {
        ValidToken token = tokens.keys().find(token(request));
        if (token == null) {
            return INACTIVE;
        }
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("active", true);
        body.put("username", token.username());
        body.put("sub", token.username());
        body.put("token_type", "Bearer");
        if (token.expires() != null) {
            body.put("exp", token.expires().getEpochSecond()); // rounded down: never after the token's end
        }
        return Response.json(200, body);
    }

    /** Revokes a token as a logout does. An unknown token gets the same response (RFC 7009 §2.2). */
    Response revoke(Request request, String clientId) throws IOException {
        String token = token(request);
        String username = tokens.keys().usernameFor(token);
        if (username != null) {
            String sessionId = tokens.endSession(new Caller(username, token));
            if (sessionId != null) {
                Audit.log("token revoked", request.client(), username, sessionId, "client", clientId);
            }
        }
        return Response.empty(200, Map.of());
    }

    private static String token(Request request) throws IOException {
        RequestFields fields = request.form("token");
        var token = fields.required("token", Function.identity());
        fields.throwIfInvalid();
        return token.get();
    }
}
