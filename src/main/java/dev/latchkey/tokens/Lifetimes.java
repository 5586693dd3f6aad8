package dev.latchkey.tokens;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * How long tokens and sessions live.
 *
 * @param token from its issue, at least one second
 * @param session from the login, however often its token is refreshed; not less than {@code token}
 */
public record Lifetimes(Duration token, Duration session) {
    /** Returns the lifetime of the first token of a session. */
    Duration ofFirstToken(Optional<Integer> expiresIn) {
        return expiresIn.map(Duration::ofSeconds).orElse(token);
    }

    /** Returns the lifetime of the next token of a session, in whole seconds. May be zero or negative. */
    Duration ofNextToken(Duration sessionAge, Optional<Integer> expiresIn) {
        Duration left = session.minus(sessionAge).truncatedTo(ChronoUnit.SECONDS);
        Duration full = ofFirstToken(expiresIn);
        return left.compareTo(full) < 0 ? left : full;
    }
}
