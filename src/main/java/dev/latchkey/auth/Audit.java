package dev.latchkey.auth;

import dev.latchkey.http.Request;
import java.util.Collection;

/** One log line for each thing that an investigation would ask for. Never a token, a password or a hash. */
final class Audit {
    private static final System.Logger LOG = System.getLogger("latchkey.audit");

    private Audit() {}

    /**
     * @param username in its one form; empty where there can be no such user: what was typed may be a password
     * @param session the public id; empty where there is none
     */
    static void log(String event, Request request, String username, String session) {
        LOG.log(
                System.Logger.Level.INFO,
                event,
                "username",
                username,
                "address",
                request.client().address(),
                "session",
                session,
                "requestId",
                request.id());
    }

    static void revoked(Request request, String username, Collection<String> sessions) {
        sessions.forEach(session -> log("session revoked", request, username, session));
    }

    static void manyFailures(String username) {
        LOG.log(
                System.Logger.Level.WARNING,
                "many failed logins within a day",
                "username",
                username,
                "failures",
                LoginThrottle.ALARM_PER_DAY);
    }
}
