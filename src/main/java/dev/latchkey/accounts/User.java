package dev.latchkey.accounts;

import java.time.Instant;

/**
 * A user: the JSON in {@code users:{username}}, in the published order of its fields.
 *
 * @param passwordHash a PHC string; empty if the user cannot log in
 */
public record User(String username, String passwordHash, Instant createdDate) {
    /** Returns the username, without the hash. */
    @Override
    public String toString() {
        return username;
    }
}
