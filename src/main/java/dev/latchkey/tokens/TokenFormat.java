package dev.latchkey.tokens;

import dev.latchkey.encoding.Base64Url;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a token looks like, and what Redis stores of it. {@code TOKEN_STORAGE} sets the format of new tokens. A token that
 * is presented has the format that it looks like, so that a change of the setting ends no session.
 */
public enum TokenFormat {
    /** A random UUID (RFC 9562 §5.4) with 122 random bits. Redis stores the token itself. */
    PLAIN,
    /**
     * {@code lk_} and 256 random bits, so that secret scanners can find it. Redis stores only the SHA-256 digest, so
     * reading the database reveals no valid token.
     */
    HASHED;

    private static final int UUID_LENGTH = 36;
    private static final int HASHED_TOKEN_BYTES = 32;
    private static final String PREFIX = "lk_";
    private static final Pattern HASHED_TOKEN = Pattern.compile(PREFIX + "[A-Za-z0-9_-]{43}");

    /** Returns a new random token. */
    String newToken() {
        return this == HASHED
                ? PREFIX + Base64Url.random(HASHED_TOKEN_BYTES)
                : UUID.randomUUID().toString();
    }

    /**
     * Returns the part of the Redis key that follows {@code tokens:}, or null if the text does not look like a token,
     * which then needs no Redis command. For a hashed token, a plain digest is enough: 256 random bits cannot be guessed,
     * so neither salt nor a slow hash is needed.
     */
    static @Nullable String keySuffix(String token) {
        return isUuid(token) ? token : HASHED_TOKEN.matcher(token).matches() ? Base64Url.sha256(token) : null;
    }

    // Written by hand because every request runs it, and a Pattern takes several times as long.
    private static boolean isUuid(String token) {
        if (token.length() != UUID_LENGTH) {
            return false;
        }
        for (int i = 0; i < UUID_LENGTH; i++) {
            char c = token.charAt(i);
            boolean dash = i == 8 || i == 13 || i == 18 || i == 23;
            boolean hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            if (dash ? c != '-' : !hex) {
                return false;
            }
        }
        return true;
    }
}
