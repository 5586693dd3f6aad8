package dev.latchkey.tokens;

import java.util.Set;

/**
 * A new token.
 *
 * @param endedSessionIds of the sessions that were ended because of it
 */
public record IssuedToken(String token, Session session, Set<String> endedSessionIds) {
    /** Returns the session's id, without the token. */
    @Override
    public String toString() {
        return session.id();
    }
}
