package dev.latchkey.accounts;

import dev.latchkey.json.Json;
import dev.latchkey.redis.Redis;
import java.time.Duration;
import java.time.Instant;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** The records {@code users:{username}}: JSON {@code {username, passwordHash, createdDate}} without a TTL. */
public record UserStore(Redis redis) {
    private static final String PREFIX = "users:";
    private static final Duration RESERVATION = Duration.ofSeconds(60);

    /**
     * A user as stored.
     *
     * @param json the exact text of the record: a change only happens if Redis still holds it
     */
    record UserRecord(User user, String json) {
        /** Returns the username, without the hash. */
        @Override
        public String toString() {
            return user.toString();
        }
    }

    /**
     * Returns null if there is no such user.
     *
     * @throws IllegalStateException if the record is unreadable
     */
    @Nullable
    UserRecord find(String username) {
        String json = redis.get(key(username));
        return json == null ? null : new UserRecord(Json.read(json, User.class), json);
    }

    /** Returns null if there is no such user, or if the user cannot log in. */
    public @Nullable User findEnabled(String username) {
        UserRecord record = find(username);
        return record == null || record.user().passwordHash().isEmpty() ? null : record.user();
    }

    /** As {@link #find}, but an unreadable record counts as that of a user without a password. */
    @Nullable
    UserRecord findEvenIfUnreadable(String username, Instant now) {
        String json = redis.get(key(username));
        User user = json == null ? null : readable(json);
        return json == null ? null : new UserRecord(user == null ? new User(username, "", now) : user, json);
    }

    /** Reports whether there is a record, also an unreadable one or a key of the wrong type. */
    boolean exists(String username) {
        return redis.pttl(key(username)) != -2;
    }

    /**
     * Passes all users by username, with the same guarantees as {@link Redis#scan}. The user of an unreadable record is
     * null.
     */
    void forEachUser(BiConsumer<String, @Nullable User> onUser) {
        redis.scan(PREFIX, (key, json) -> onUser.accept(key.substring(PREFIX.length()), readable(json)));
    }

    private static @Nullable User readable(String json) {
        try {
            return Json.read(json, User.class);
        } catch (IllegalStateException _) {
            return null;
        }
    }

    /** Reports whether the record has not changed since it was read. */
    boolean isUnchanged(UserRecord record) {
        return record.json().equals(redis.get(key(record)));
    }

    /** Returns a record for {@link #reserve}, which cannot log in. */
    static UserRecord reservation(String username, Instant createdDate) {
        var user = new User(username, "", createdDate);
        return new UserRecord(user, Json.text(user));
    }

    /**
     * Returns a reservation for a deletion. It is the same for all deletions of a user, so that one that begins while
     * another one deletes does not stop it. It is not the record of a disabled user, so that nobody enables the user.
     */
    static UserRecord reservationForDeletion(String username) {
        return reservation(username, Instant.EPOCH);
    }

    /**
     * Stores the reservation for at most 60 seconds, and reports whether the username was free. Of several concurrent
     * calls, exactly one succeeds.
     */
    boolean reserve(UserRecord reservation) {
        return redis.setIfAbsent(key(reservation), reservation.json(), RESERVATION);
    }

    /** Replaces the record by the reservation. Returns false, and does nothing, if it has changed since it was read. */
    boolean reserve(UserRecord record, UserRecord reservation) {
        return redis.shrinkIfEqual(key(record), record.json(), reservation.json(), RESERVATION);
    }

    /** Replaces the reservation by {@code user}. Returns false, and does nothing, if it has changed or expired. */
    boolean create(UserRecord reservation, User user) {
        return redis.replaceIfEqual(key(reservation), reservation.json(), Json.text(user));
    }

    /**
     * Returns for how many seconds a registration or deletion still reserves the username, at least 1, or 0 if the
     * record belongs to a user.
     */
    long reservedSeconds(User user) {
        if (!user.passwordHash().isEmpty()) {
            return 0;
        }
        // -1: an operator has disabled the login of this user. -2: the reservation has just ended.
        long millis = redis.pttl(key(user.username()));
        return millis == -1 ? 0 : Math.ceilDiv(Math.max(1, millis), 1000);
    }

    /**
     * Replaces the password hash and keeps unknown fields, or replaces an unreadable record as a whole. Returns the new
     * record, or null, and does nothing, if the record has changed since it was read.
     */
    @Nullable
    UserRecord replaceHash(UserRecord record, String hash) {
        UserRecord changed = withHash(record, hash);
        return redis.replaceIfEqual(key(record), record.json(), changed.json()) ? changed : null;
    }

    /**
     * Removes the password, so that the user cannot log in but the username stays taken. Returns false, and does nothing,
     * if the record has changed since it was read.
     */
    boolean disableLogin(UserRecord record) {
        return redis.shrinkIfEqual(
                key(record), record.json(), withHash(record, "").json(), null);
    }

    /** Deletes the record, unless it has changed since it was read. */
    void remove(UserRecord record) {
        var _ = redis.deleteIfEqual(key(record), record.json());
    }

    private static UserRecord withHash(UserRecord record, String hash) {
        var user = new User(record.user().username(), hash, record.user().createdDate());
        boolean isReadable = readable(record.json()) != null;
        return new UserRecord(user, isReadable ? Json.withField(record.json(), "passwordHash", hash) : Json.text(user));
    }

    private static String key(UserRecord record) {
        return key(record.user().username());
    }

    private static String key(String username) {
        return PREFIX + username;
    }
}
