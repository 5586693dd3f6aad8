package dev.latchkey.api;

/**
 * The id and the secret of the program that may introspect and revoke tokens, in printable ASCII.
 *
 * @param secret at least 32 characters. Its length prevents guesses, because the rate limit never refuses the right one.
 */
public record ClientCredentials(String id, String secret) {
    /** Returns the id, without the secret. */
    @Override
    public String toString() {
        return id;
    }
}
