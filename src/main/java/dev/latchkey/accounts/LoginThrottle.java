package dev.latchkey.accounts;

import dev.latchkey.encoding.Base64Url;
import dev.latchkey.redis.CleanUp;
import dev.latchkey.redis.Redis;
import dev.latchkey.tokens.ClientInfo;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Limits how often secrets can be guessed. Counters are in Redis, for all instances together: the hashes {@code
 * throttle:{scope}:{address}} have one field per username, a field {@code all} for all attempts from that address,
 * and a field {@code window} that identifies the fixed window.
 *
 * <p>An attempt is counted before its hash is computed. Otherwise concurrent attempts could all pass the check before
 * any of them is counted. There is no limit on a username alone, because anyone could then lock a user out.
 *
 * @param scope {@code address} for passwords. Other secrets have another scope, so that a program with a wrong secret
 *     does not lock out the users behind its address.
 * @param enabled if false, nothing is counted and every attempt is allowed
 */
public record LoginThrottle(Redis redis, String scope, boolean enabled) {
    private static final Duration WINDOW = Duration.ofMinutes(15);

    // An address above its limit adds no further usernames, because it could fill the memory with them. A hash
    // without a TTL gets one, because it would otherwise stay locked forever.
    private static final String COUNT = """
            local all = redis.call('HINCRBY', KEYS[1], 'all', 1)
            local name = 0
            if ARGV[2] ~= '' and all <= tonumber(ARGV[3]) then name = redis.call('HINCRBY', KEYS[1], ARGV[2], 1) end
            if redis.call('PTTL', KEYS[1]) < 0 then
              redis.call('PEXPIRE', KEYS[1], ARGV[1])
              redis.call('HSET', KEYS[1], 'window', ARGV[4])
            end
            return {tostring(all), tostring(name), tostring(redis.call('PTTL', KEYS[1])), redis.call('HGET', KEYS[1], 'window') or ''}""";
    // Only within the window of the count: in a later window it would allow more attempts than the limit.
    private static final String GIVE_BACK = """
            if not redis.call('HGET', KEYS[1], 'all') then return 0 end
            if (redis.call('HGET', KEYS[1], 'window') or '') ~= ARGV[1] then return 0 end
            redis.call('HINCRBY', KEYS[1], 'all', -1)
            if ARGV[2] == '' then return 1 end
            if ARGV[3] == 'reset' then return redis.call('HDEL', KEYS[1], ARGV[2]) end
            return redis.call('HINCRBY', KEYS[1], ARGV[2], -1)""";

    private record Limit(String address, int max, int maxPerName) {}

    private record Count(String key, long all, long name, long remainingMillis, String window) {}

    /** A counted attempt. */
    public record Attempt(String nameId, List<Count> counted) {}

    /**
     * Counts an attempt.
     *
     * @param name the username whose password is tried, whether such a user exists or not; null if there is no username
     * @throws RateLimitedException if there were too many attempts
     */
    public Attempt acquire(ClientInfo client, @Nullable String name) {
        String nameId = name == null ? "" : id(name);
        List<Count> counted = new ArrayList<>();
        // Many users may share the /48 of an IPv6 address, but a single client may own its 65,536 networks.
        var limits = List.of(new Limit(client.rateLimitKey(), 100, 10), new Limit(client.siteRateLimitKey(), 1000, 40));
        for (Limit limit : limits) {
            if (enabled && !limit.address().isEmpty()) {
                Count count = count("throttle:" + scope + ":" + limit.address(), nameId, limit.max());
                if (count.all() > limit.max() || count.name() > limit.maxPerName()) {
                    // Not counted for the site: one of its networks must not lock out the others.
                    if (scope.equals("address")) {
                        Audit.log("throttled", client, name == null ? "" : Username.canonical(name), "");
                    }
                    throw new RateLimitedException(Math.ceilDiv(Math.max(1, count.remainingMillis()), 1000));
                }
                counted.add(count);
            }
        }
        return new Attempt(nameId, counted);
    }

    /** Gives an attempt back if its hash was never computed. */
    public void release(Attempt attempt) {
        giveBack(attempt, "");
    }

    /**
     * Gives a successful attempt back, and resets the username's count, so that the user may mistype the password
     * again.
     */
    public void reset(Attempt attempt) {
        giveBack(attempt, "reset");
    }

    private void giveBack(Attempt attempt, String mode) {
        for (Count counted : attempt.counted()) {
            CleanUp.ignoreFailure(() -> redis.eval(GIVE_BACK, counted.key(), counted.window(), attempt.nameId(), mode));
        }
    }

    private Count count(String key, String field, int max) {
        String windowId = Long.toHexString(ThreadLocalRandom.current().nextLong());
        List<String> reply =
                redis.evalList(COUNT, key, Long.toString(WINDOW.toMillis()), field, Integer.toString(max), windowId);
        long[] numbers = reply.stream().limit(3).mapToLong(Long::parseLong).toArray();
        return new Count(key, numbers[0], numbers[1], numbers[2], reply.get(3));
    }

    // Not the username itself: a user may have typed a password there, which would be readable in Redis.
    private static String id(String name) {
        return Base64Url.sha256(name.toLowerCase(Locale.ROOT));
    }
}
