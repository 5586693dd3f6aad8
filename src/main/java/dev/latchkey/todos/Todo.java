package dev.latchkey.todos;

import dev.latchkey.http.Json;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;
import java.util.stream.Collectors;

/** One todo, as it is stored and as it is answered. */
public record Todo(String id, String name, Status status, Instant createdDate, Instant updatedDate) {
    /** Code points. */
    static final int MAX_NAME_LENGTH = 200;

    /** Where a todo stands. The text is what clients send and read. */
    public enum Status {
        TODO("todo"),
        IN_PROGRESS("in progress"),
        COMPLETE("complete");

        private final String text;

        Status(String text) {
            this.text = text;
        }

        /** @throws IllegalArgumentException with what is allowed, for the client to read */
        static Status of(String text) {
            return Arrays.stream(values())
                    .filter(status -> status.text.equals(text))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("must be one of "
                            + Arrays.stream(values()).map(Status::toString).collect(Collectors.joining(", "))));
        }

        @Override
        public String toString() {
            return text;
        }
    }

    /** @throws IllegalArgumentException with what is allowed, for the client to read */
    static String checkName(String name) {
        int length = name.codePointCount(0, name.length());
        if (name.isBlank() || length > MAX_NAME_LENGTH || name.codePoints().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(
                    "must have 1 to " + MAX_NAME_LENGTH + " characters, not all blank, none a control character");
        }
        return name;
    }

    /** With the fields that are given, and the date of now where that changes anything. */
    Todo patched(Optional<String> newName, Optional<Status> newStatus, Instant now) {
        var patched = new Todo(id, newName.orElse(name), newStatus.orElse(status), createdDate, updatedDate);
        return patched.equals(this) ? this : new Todo(id, patched.name, patched.status, createdDate, now);
    }

    /** A strong validator (RFC 9110 §8.8.3): two todos that differ in anything have different ones. */
    String etag() {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(Json.bytes(this));
            byte[] tag = Base64.getUrlEncoder().withoutPadding().encode(Arrays.copyOf(hash, 12));
            return "\"" + new String(tag, StandardCharsets.US_ASCII) + "\"";
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
