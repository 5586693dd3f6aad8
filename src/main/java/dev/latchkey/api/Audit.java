package dev.latchkey.api;

import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.accounts.LoginThrottle;
import dev.latchkey.http.Request;
import java.util.Collection;

/** The audit log: one line per event that an investigation would ask for. It never has a token, password or hash. */
public final class Audit {
    private static final System.Logger LOG = System.getLogger("latchkey.audit");

    private Audit() {}

    /**
     * @param username in canonical form; empty if there cannot be such a user, because the user may have typed a
     *     password
     * @param sessionId the public id; empty if unknown
     */
    static void log(String event, Request request, String username, String sessionId) {
        String address = request.client().address();
        Object[] fields = {"username", username, "address", address, "session", sessionId, "requestId", request.id()};
        LOG.log(INFO, event, fields);
    }

    static void tokenRevoked(Request request, String username, String sessionId, String clientId) {
        String address = request.client().address();
        Object[] fields = {
            "username",
            username,
            "address",
            address,
            "session",
            sessionId,
            "client",
            clientId,
            "requestId",
            request.id()
        };
        LOG.log(INFO, "token revoked", fields);
    }

    static void sessionsRevoked(Request request, String username, Collection<String> sessionIds) {
        sessionIds.forEach(id -> log("session revoked", request, username, id));
    }

    static void manyFailedLogins(String username) {
        String message = "many failed logins within a day";
        LOG.log(WARNING, message, "username", username, "failures", LoginThrottle.ALARM_PER_DAY);
    }

    /**
     * Logs what an operator's command did. Such an event has no address and no request, but a source.
     *
     * @param event empty if the command only ended sessions
     */
    public static void logCommand(String event, String username, Collection<String> endedSessionIds) {
        if (!event.isEmpty()) {
            logCommand(event, username, "");
        }
        endedSessionIds.forEach(id -> logCommand("session revoked", username, id));
    }

    private static void logCommand(String event, String username, String sessionId) {
        LOG.log(INFO, event, "username", username, "session", sessionId, "source", "command-line");
    }
}
