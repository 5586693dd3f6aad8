package dev.latchkey.tokens;

/**
 * The authenticated caller of a guarded route.
 *
 * @param username whose bearer token was presented
 * @param token as presented, for routes that rotate or revoke it
 */
public record Caller(String username, String token) {
    /** Returns the username, without the token. */
    @Override
    public String toString() {
        return username;
    }
}
