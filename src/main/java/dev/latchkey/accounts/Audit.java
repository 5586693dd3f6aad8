package dev.latchkey.accounts;

import static java.lang.System.Logger.Level.INFO;

import dev.latchkey.tokens.ClientInfo;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** The audit log: one line per event that an investigation would ask for. It never has a token, password or hash. */
public final class Audit {
    private static final System.Logger LOG = System.getLogger("latchkey.audit");

    private Audit() {}

    /**
     * Logs what a client did.
     *
     * @param username in canonical form; empty if there cannot be such a user, because the user may have typed a
     *     password
     * @param sessionId the public id; empty if unknown
     * @param more names and values, alternating
     */
    public static void log(String event, ClientInfo client, String username, String sessionId, Object... more) {
        List<Object> fields = new ArrayList<>(List.of("username", username, "address", client.address()));
        fields.addAll(List.of("session", sessionId));
        fields.addAll(List.of(more));
        fields.addAll(List.of("requestId", client.requestId()));
        LOG.log(INFO, event, fields.toArray());
    }

    /** Logs the end of sessions by a client. */
    public static void sessionsRevoked(ClientInfo client, String username, Collection<String> sessionIds) {
        sessionIds.forEach(id -> log("session revoked", client, username, id));
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
