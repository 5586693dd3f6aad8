package dev.latchkey.accounts;

import static java.lang.System.Logger.Level.INFO;

import dev.latchkey.tokens.ClientInfo;
import dev.latchkey.tokens.Session;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The audit log: one line per event that an investigation would ask for. It never has a token, password or hash. */
public final class Audit {
    private static final System.Logger LOG = System.getLogger("latchkey.audit");

    private Audit() {}

    /**
     * Logs an event.
     *
     * @param client that sent the request; null if an operator's command caused the event
     * @param username in canonical form; empty if there cannot be such a user, because the user may have typed a
     *     password
     * @param sessionId the public id; empty if unknown
     * @param more names and values, alternating
     */
    public static void log(
            String event, @Nullable ClientInfo client, String username, String sessionId, Object... more) {
        List<Object> fields = new ArrayList<>(List.of("username", username));
        if (client != null) {
            fields.addAll(List.of("address", client.address()));
        }
        fields.addAll(List.of("session", sessionId));
        fields.addAll(List.of(more));
        fields.addAll(client == null ? List.of("source", "command-line") : List.of("requestId", client.requestId()));
        LOG.log(INFO, event, fields.toArray());
    }

    /**
     * Logs the start of a session, with its name if it has one.
     *
     * @param client as for {@link #log}
     */
    static void sessionStarted(String event, @Nullable ClientInfo client, String username, Session session) {
        Object[] more = session.name().map(name -> new Object[] {"name", name}).orElse(new Object[0]);
        log(event, client, username, session.id(), more);
    }

    /**
     * Logs the end of sessions.
     *
     * @param client as for {@link #log}
     */
    public static void sessionsRevoked(@Nullable ClientInfo client, String username, Collection<String> sessionIds) {
        sessionIds.forEach(id -> log("session revoked", client, username, id));
    }
}
