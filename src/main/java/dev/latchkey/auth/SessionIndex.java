package dev.latchkey.auth;

import dev.latchkey.http.Json;
import dev.latchkey.redis.Redis;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The hashes {@code sessions:{username}}: a token key's suffix to the session as JSON. They serve listing and bulk
 * revocation; whether a token is valid is never decided here.
 *
 * <p>An entry is written after its token and removed after it: so a live token that was issued here is never without one,
 * and whatever stops half-way can be done again. Redis 7 has no TTL for a single field: an entry may outlive its token.
 */
final class SessionIndex {
    private static final System.Logger LOG = System.getLogger("latchkey.auth");

    // The index lives as long as its youngest token, also after TOKEN_TTL was lowered. EXPIRE's own GT would do
    // nothing on a key that has no TTL yet.
    private static final String ADD = """
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
            if redis.call('PTTL', KEYS[1]) < ARGV[3] * 1000 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
            if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then return redis.call('HGETALL', KEYS[1]) end
            return {}""";

    private final Redis redis;

    SessionIndex(Redis redis) {
        this.redis = redis;
    }

    /** Returns all entries, by suffix, if they are more than {@code max} now, and otherwise none. One command. */
    Map<String, Session> add(String username, String suffix, Session session, Duration ttl, int max) {
        List<String> flat = repairing(
                username,
                () -> redis.evalList(
                        ADD,
                        key(username),
                        suffix,
                        Json.text(session),
                        Long.toString(ttl.toSeconds()),
                        Integer.toString(max)));
        Map<String, Session> all = new HashMap<>();
        for (int i = 0; i < flat.size(); i += 2) {
            all.put(flat.get(i), parse(flat.get(i + 1)));
        }
        return all;
    }

    /** Returns the entries by suffix; the map may be changed. */
    Map<String, Session> all(String username) {
        Map<String, Session> all = new HashMap<>();
        repairing(username, () -> redis.hgetall(key(username))).forEach((suffix, json) -> all.put(suffix, parse(json)));
        return all;
    }

    /** Returns null if there is no readable entry: another program has written the token, or it is gone. */
    @Nullable
    Session find(String username, String suffix) {
        String json = repairing(username, () -> redis.hget(key(username), suffix));
        Session session = json == null ? Session.UNREADABLE : parse(json);
        return session.equals(Session.UNREADABLE) ? null : session;
    }

    /** An entry that stays behind is removed by the next listing, so a failure is none of the caller's concern. */
    void remove(String username, Collection<String> suffixes) {
        redis.cleanUp(() -> redis.hdel(key(username), suffixes));
    }

    // what another program has put there would otherwise stop every login and revocation
    private <T extends @Nullable Object> T repairing(String username, Supplier<T> command) {
        try {
            return command.get();
        } catch (Redis.WrongTypeException _) {
            LOG.log(System.Logger.Level.WARNING, "deleted a session index of the wrong type", "username", username);
            redis.del(key(username));
            return command.get();
        }
    }

    // another program's or an older version's entry must not keep a token from being revoked
    private static Session parse(String json) {
        try {
            return Json.read(json, Session.class);
        } catch (IllegalStateException _) {
            return Session.UNREADABLE;
        }
    }

    private static String key(String username) {
        return "sessions:" + username;
    }
}
