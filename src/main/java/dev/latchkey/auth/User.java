package dev.latchkey.auth;

import java.time.Instant;

/** What {@code users:{username}} holds, in the published order of its fields. */
record User(String username, String passwordHash, Instant createdDate) {
    /** Without the hash: a record's own would print it into the first log line that names a user. */
    @Override
    public String toString() {
        return username;
    }
}
