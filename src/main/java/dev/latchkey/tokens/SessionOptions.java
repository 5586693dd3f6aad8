package dev.latchkey.tokens;

import dev.latchkey.validation.DisplayName;
import java.util.Optional;

/**
 * What a login may ask for.
 *
 * @param name of the session, for people; a session with a name is evicted after those without
 * @param expiresIn lifetime of each token of the session, in seconds; empty for {@code TOKEN_TTL}
 */
public record SessionOptions(Optional<String> name, Optional<Integer> expiresIn) {
    public static final SessionOptions NONE = new SessionOptions(Optional.empty(), Optional.empty());
    private static final int MAX_NAME_LENGTH = 64; // code points

    /**
     * Returns the name.
     *
     * @throws dev.latchkey.validation.InvalidValueException if it is not valid
     */
    public static String checkName(String name) {
        return DisplayName.check(name, MAX_NAME_LENGTH);
    }
}
