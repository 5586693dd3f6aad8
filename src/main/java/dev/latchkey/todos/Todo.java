package dev.latchkey.todos;

import dev.latchkey.encoding.Base64Url;
import dev.latchkey.json.Json;
import java.time.Instant;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A todo, as stored and as sent to clients. */
public record Todo(String id, String name, Status status, Instant createdDate, Instant updatedDate) {
    private static final int MAX_NAME_LENGTH = 200; // code points
    private static final int ETAG_LENGTH = 16; // characters: 96 bits

    /** The progress of a todo. Clients send and receive {@link #toString}. */
    public enum Status {
        TODO,
        IN_PROGRESS,
        COMPLETE;

        /** @throws IllegalArgumentException if there is no such status; the message tells the client what is allowed */
        public static Status of(String text) {
            for (Status status : values()) {
                if (status.toString().equals(text)) {
                    return status;
                }
            }
            throw new IllegalArgumentException("must be one of todo, in progress, complete");
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    /**
     * Returns the name.
     *
     * @throws IllegalArgumentException if it is not valid; the message tells the client what is allowed
     */
    public static String checkName(String name) {
        int length = name.codePointCount(0, name.length());
        if (name.isBlank() || length > MAX_NAME_LENGTH || name.codePoints().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("must have 1–" + MAX_NAME_LENGTH
                    + " characters, at least one of them not blank, and no control characters");
        }
        return name;
    }

    /** Returns this todo with those of the given fields that are not null, and {@code now} as its updated date if that changes anything. */
    public Todo patched(@Nullable String newName, @Nullable Status newStatus, Instant now) {
        String nextName = newName == null ? name : newName;
        Status nextStatus = newStatus == null ? status : newStatus;
        boolean isSame = nextName.equals(name) && nextStatus == status;
        return isSame ? this : new Todo(id, nextName, nextStatus, createdDate, now);
    }

    /** Returns a strong entity tag (RFC 9110 §8.8.3), which differs between any two todos that are not equal. */
    public String etag() {
        return "\"" + Base64Url.sha256(Json.text(this)).substring(0, ETAG_LENGTH) + "\"";
    }
}
