package dev.latchkey.tokens;

import java.time.Duration;
import java.time.temporal.ChronoUnit;

/**
 * How long tokens and sessions live.
 *
 * @param token from its issue, at least one second
 * @param session from the login, however often its token is refreshed; not less than {@code token}
 */
public record Lifetimes(Duration token, Duration session) {
    /** Returns the lifetime of the next token of a session, in whole seconds. May be zero or negative. */
    Duration ofNextToken(Duration sessionAge) {
        Duration left = session.minus(sessionAge).truncatedTo(ChronoUnit.SECONDS);
        return left.compareTo(token) < 0 ? left : token;
    }
}
