package dev.latchkey.todos;

import dev.latchkey.encoding.Base64Url;
import dev.latchkey.json.Json;
import dev.latchkey.validation.DisplayName;
import dev.latchkey.validation.FieldErrorCode;
import dev.latchkey.validation.InvalidValueException;
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

        /** @throws InvalidValueException if there is no such status */
        public static Status of(String text) {
            for (Status status : values()) {
                if (status.toString().equals(text)) {
                    return status;
                }
            }
            String detail = "must be one of todo, in progress, complete";
            throw new InvalidValueException(FieldErrorCode.MALFORMED, detail);
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    /**
     * Returns the name.
     *
     * @throws InvalidValueException if it is not valid
     */
    public static String checkName(String name) {
        return DisplayName.check(name, MAX_NAME_LENGTH);
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
