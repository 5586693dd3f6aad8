package dev.latchkey.tokens;

import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.json.Json;
import dev.latchkey.redis.CleanUp;
import dev.latchkey.redis.Redis;
import dev.latchkey.redis.WrongTypeException;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The hashes {@code sessions:{username}}, which map the key suffix of each token to its session as JSON. They serve
 * listing and bulk revocation. They never decide whether a token is valid.
 *
 * <p>An entry is written after its token and removed after its token. Every token that a client knows therefore has
 * an entry, and any operation that fails half-way can be repeated. An entry may outlive its token, because Redis 7.0
 * has no TTL for single fields.
 */
public record SessionIndex(Redis redis, CleanUp cleanUp) {
    private static final System.Logger LOG = System.getLogger("latchkey.auth");
    private static final String PREFIX = "sessions:";

    // The index lives as long as its youngest token, even if TOKEN_TTL was lowered. If it has no TTL, because it was
    // copied without, its tokens may have none either. With a TTL, it would expire before them, and they could not be
    // ended any more.
    private static final String ADD = """
            local ttl = redis.call('PTTL', KEYS[1])
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
            if ttl ~= -1 and ttl < ARGV[3] * 1000 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
            if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then return redis.call('HGETALL', KEYS[1]) end
            return {}""";

    /** Adds an entry. Returns all entries by key suffix if there are more than {@code max}, and none otherwise. */
    Map<String, Session> add(String username, String keySuffix, Session session, Duration ttl, int max) {
        String[] arguments = {keySuffix, Json.text(session), Long.toString(ttl.toSeconds()), Integer.toString(max)};
        List<String> flat = repairing(username, () -> redis.evalList(ADD, key(username), arguments));
        Map<String, Session> all = new LinkedHashMap<>();
        for (int i = 0; i < flat.size(); i += 2) {
            all.put(flat.get(i), parse(flat.get(i + 1)));
        }
        return all;
    }

    /** Returns all entries by key suffix, in a map that may be changed. */
    Map<String, Session> all(String username) {
        Map<String, Session> all = new LinkedHashMap<>();
        repairing(username, () -> redis.hgetall(key(username))).forEach((suffix, json) -> all.put(suffix, parse(json)));
        return all;
    }

    /** Passes the usernames of all indexes in batches, with the guarantees of {@link Redis#scan}. */
    void forEachBatch(Consumer<List<String>> onUsernames) {
        redis.scanKeys(
                PREFIX,
                keys -> onUsernames.accept(
                        keys.stream().map(key -> key.substring(PREFIX.length())).toList()));
    }

    /** Returns null if there is no readable entry: another program has written the token, or the token was revoked. */
    @Nullable
    Session find(String username, String keySuffix) {
        String json = repairing(username, () -> redis.hget(key(username), keySuffix));
        Session session = json == null ? Session.UNREADABLE : parse(json);
        return session.equals(Session.UNREADABLE) ? null : session;
    }

    /**
     * Removes entries. If this fails twice, the failure is ignored, because the next listing removes entries without a
     * token.
     */
    void remove(String username, Collection<String> keySuffixes) {
        cleanUp.run(() -> redis.hdel(key(username), keySuffixes));
    }

    // A key of another type, written by another program, would otherwise make every login and revocation fail.
    private <T extends @Nullable Object> T repairing(String username, Supplier<T> command) {
        try {
            return command.get();
        } catch (WrongTypeException _) {
            LOG.log(WARNING, "deleted a session index of the wrong type", "username", username);
            redis.del(key(username));
            return command.get();
        }
    }

    // An entry from another program or an older version must not prevent revoking its token.
    private static Session parse(String json) {
        try {
            return Json.read(json, Session.class);
        } catch (IllegalStateException _) {
            return Session.UNREADABLE;
        }
    }

    private static String key(String username) {
        return PREFIX + username;
    }
}
