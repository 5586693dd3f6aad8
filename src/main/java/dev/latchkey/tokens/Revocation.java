package dev.latchkey.tokens;

import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.overload.Attempts;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.BiPredicate;

/** Revokes tokens by their entries in the index. Each token is deleted before its entry, so that this can be repeated. */
record Revocation(TokenKeys keys, SessionIndex index) {
    private static final System.Logger LOG = System.getLogger("latchkey.auth");
    private static final int MAX_ROUNDS = 10; // each round revokes all tokens in the index

    /**
     * Revokes the tokens of those sessions that match, until the index has no further match. A concurrent refresh that
     * has stored its new token, but not yet deleted the old one, cannot escape. An entry that cannot be removed is not
     * revoked twice.
     *
     * @param matching receives key suffixes and their sessions
     * @return the ids of the sessions that had a valid token
     */
    Set<String> ofMatching(String username, BiPredicate<String, Session> matching) {
        Set<String> endedIds = new HashSet<>();
        Set<String> revoked = new HashSet<>();
        for (var rounds = Attempts.limitedTo(MAX_ROUNDS); ; rounds.next()) {
            Map<String, Session> found = index.all(username);
            found.keySet().removeAll(revoked);
            found.entrySet().removeIf(entry -> !matching.test(entry.getKey(), entry.getValue()));
            if (found.isEmpty()) {
                return endedIds;
            }
            endedIds.addAll(of(username, found));
            revoked.addAll(found.keySet());
        }
    }

    /**
     * Revokes the tokens of sessions. Works for unreadable entries too, because their key suffix is known.
     *
     * @param sessions by key suffix
     * @return the ids of the sessions that had a valid token
     */
    Set<String> of(String username, Map<String, Session> sessions) {
        Set<String> endedIds = new HashSet<>();
        sessions.forEach((keySuffix, session) -> {
            boolean wasValid = keys.delete(keySuffix);
            if (session.equals(Session.UNREADABLE)) {
                LOG.log(WARNING, "removed an unreadable session entry", "username", username);
            } else if (wasValid) {
                endedIds.add(session.id());
            }
        });
        index.remove(username, sessions.keySet());
        return endedIds;
    }
}
