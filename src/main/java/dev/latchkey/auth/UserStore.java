package dev.latchkey.auth;

import dev.latchkey.http.Json;
import dev.latchkey.redis.Redis;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** The records {@code users:{username}}: JSON {@code {username, passwordHash, createdDate}}, without a TTL. */
final class UserStore {
    private static final String REPLACE = """
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            redis.call('SET', KEYS[1], unpack(ARGV, 2))
            return 1""";
    private static final String REMOVE = """
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            return redis.call('DEL', KEYS[1])""";
    private static final Duration RESERVED = Duration.ofSeconds(60);

    private final Redis redis;

    /** A user, and the record's very text: only what is still the same may be changed. */
    record Stored(User user, String json) {
        /** Without the hash. */
        @Override
        public String toString() {
            return user.toString();
        }
    }

    UserStore(Redis redis) {
        this.redis = redis;
    }

    /** Returns the record that {@link #reserve} stores: nobody can log in to it. */
    static Stored reservation(String username, Instant now) {
        var user = new User(username, "", now);
        return new Stored(user, Json.text(user));
    }

    /** Takes a free name for at most 60 seconds, and reports whether it did. Of several concurrent calls, one succeeds. */
    boolean reserve(Stored reservation) {
        return redis.setNew(key(reservation.user().username()), reservation.json(), RESERVED);
    }

    /** Puts {@code user} in place of the reservation. Returns false, and does nothing, if that has changed or expired. */
    boolean create(Stored reserved, User user) {
        return run(REPLACE, reserved, Json.text(user));
    }

    /** Returns for how many seconds a registration or deletion holds the name: at least 1; 0 if the record is a user's. */
    long reservedSeconds(Stored stored) {
        if (!stored.user().passwordHash().isEmpty()) {
            return 0;
        }
        // -1: an operator has disabled this user's login. -2: the reservation has just ended, so that the name is not
        // taken
        long millis = redis.pttl(key(stored.user().username()));
        return millis == -1 ? 0 : Math.ceilDiv(Math.max(1, millis), 1000);
    }

    /** Null where there is no such user. */
    @Nullable
    Stored find(String username) {
        String json = redis.get(key(username));
        return json == null ? null : new Stored(Json.read(json, User.class), json);
    }

    /** Whether the record has not changed since. */
    boolean isStill(Stored stored) {
        return stored.json().equals(redis.get(key(stored.user().username())));
    }

    /** What is stored now; null where the record has changed since, and stays as it is. Fields not known here are kept. */
    @Nullable
    Stored replaceHash(Stored stored, String hash) {
        Stored changed = withHash(stored, hash);
        return run(REPLACE, stored, changed.json()) ? changed : null;
    }

    /**
     * Takes the password away, so that nobody logs in any more while the name is still taken: what {@link #remove} then
     * frees has nothing left of its user. Should this process die in between, the name is free after 60 seconds.
     *
     * @return what is stored now; null where the record has changed since, and stays as it is
     */
    @Nullable
    Stored close(Stored stored) {
        Stored closed = withHash(stored, "");
        return run(REPLACE, stored, closed.json(), "EX", Long.toString(RESERVED.toSeconds())) ? closed : null;
    }

    /** Does nothing where the record has changed since. */
    void remove(Stored stored) {
        run(REMOVE, stored);
    }

    private static Stored withHash(Stored stored, String hash) {
        User user = stored.user();
        String json = Json.with(stored.json(), "passwordHash", hash);
        return new Stored(new User(user.username(), hash, user.createdDate()), json);
    }

    private boolean run(String script, Stored expected, String... arguments) {
        String[] all = new String[arguments.length + 1];
        all[0] = expected.json();
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return redis.eval(script, key(expected.user().username()), all);
    }

    private static String key(String username) {
        return "users:" + username;
    }
}
