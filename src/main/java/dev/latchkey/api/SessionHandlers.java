package dev.latchkey.api;

import dev.latchkey.accounts.Audit;
import dev.latchkey.http.ErrorCode;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.Response;
import dev.latchkey.overload.Bulkhead;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.Session;
import dev.latchkey.tokens.TokenStore;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The routes {@code /api/auth/sessions}: the caller's own sessions.
 *
 * @param lists limits how many lists are made at the same time
 */
public record SessionHandlers(TokenStore tokens, Bulkhead lists) {
    private record SessionsBody(List<SessionBody> sessions) {}

    private record SessionBody(
            String id,
            Optional<String> name,
            Instant createdDate,
            Instant expiresDate,
            String userAgent,
            String address,
            boolean current) {
        SessionBody(Session of, boolean current) {
            this(of.id(), of.name(), of.createdDate(), of.expiresDate(), of.userAgent(), of.address(), current);
        }
    }

    Response list(Request request, Caller caller) {
        try (var _ = lists.enter(caller.username())) {
            String currentId = tokens.sessionId(caller);
            List<SessionBody> sessions = tokens.sessions(caller.username()).stream()
                    .map(session -> new SessionBody(session, session.id().equals(currentId)))
                    .toList();
            return Response.json(200, new SessionsBody(sessions));
        }
    }

    Response end(Request request, Caller caller) {
        Set<String> ended = tokens.revokeSession(caller.username(), request.pathParameter());
        if (ended.isEmpty()) {
            throw new Problem(ErrorCode.NOT_FOUND, "You have no such session."); // the same for another user's session
        }
        Audit.sessionsRevoked(request.client(), caller.username(), ended);
        return Response.NO_CONTENT;
    }

    Response endAll(Request request, Caller caller) {
        Set<String> ended = tokens.revokeOthers(caller);
        ended.addAll(tokens.revokeOwn(caller, null));
        Audit.sessionsRevoked(request.client(), caller.username(), ended);
        return Response.NO_CONTENT;
    }
}
