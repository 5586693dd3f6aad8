package dev.latchkey.auth;

import dev.latchkey.http.Client;
import dev.latchkey.redis.Redis;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Limits how often a password may be tried: the hashes {@code throttle:address:{address}}, of fixed windows, in Redis for all
 * instances together. The field {@code all} counts the attempts from there, and a name's field those for it. The field {@code
 * window} identifies the window.
 *
 * <p>An attempt is counted before its hash is computed, because a check before and a count after would let all of many
 * concurrent attempts in. There is no limit on a name alone: it would let anyone lock a user out.
 */
public final class LoginThrottle {
    /** Failed logins of one name, wherever they come from. */
    static final int ALARM_PER_DAY = 100;

    private static final Duration WINDOW = Duration.ofMinutes(15);

    // An address beyond its limit adds no more names: it could otherwise fill the memory with them. A hash without
    // a TTL gets one: it would otherwise lock forever.
    private static final String COUNT = """
            local all = redis.call('HINCRBY', KEYS[1], 'all', 1)
            local name = 0
            if ARGV[2] ~= '' and all <= tonumber(ARGV[3]) then name = redis.call('HINCRBY', KEYS[1], ARGV[2], 1) end
            if redis.call('PTTL', KEYS[1]) < 0 then
              redis.call('PEXPIRE', KEYS[1], ARGV[1])
              redis.call('HSET', KEYS[1], 'window', ARGV[4])
            end
            return {tostring(all), tostring(name), tostring(redis.call('PTTL', KEYS[1])), redis.call('HGET', KEYS[1], 'window') or ''}""";
    // never in a later window than the one of the count, where it would allow more attempts than the limit
    private static final String GIVE_BACK = """
            if not redis.call('HGET', KEYS[1], 'all') then return 0 end
            if (redis.call('HGET', KEYS[1], 'window') or '') ~= ARGV[1] then return 0 end
            redis.call('HINCRBY', KEYS[1], 'all', -1)
            if ARGV[2] == '' then return 1 end
            if ARGV[3] == 'reset' then return redis.call('HDEL', KEYS[1], ARGV[2]) end
            return redis.call('HINCRBY', KEYS[1], ARGV[2], -1)""";

    private final Redis redis;
    private final boolean enabled;

    private enum Scope {
        ADDRESS(100, 10),
        // of an IPv6 site (/48): many users may share one, but it has 65,536 networks to guess from
        SITE(1000, 40);

        private final int max;
        private final int maxPerName;

        Scope(int max, int maxPerName) {
            this.max = max;
            this.maxPerName = maxPerName;
        }
    }

    private record Count(long all, long name, long remainingMillis, String window) {}

    private record Counted(String key, String window) {}

    /**
     * An attempt that has been counted.
     *
     * @param waitSeconds 0 if it may be made; otherwise the seconds until the window ends
     */
    record Attempt(long waitSeconds, String nameId, List<Counted> counted) {}

    /** @param enabled if false, nothing is counted and nothing refused */
    public LoginThrottle(Redis redis, boolean enabled) {
        this.redis = redis;
        this.enabled = enabled;
    }

    /**
     * Counts an attempt.
     *
     * @param name whose password is tried, whether there is such a user or not; null if there is none
     */
    Attempt count(Client client, @Nullable String name) {
        String nameId = name == null ? "" : id(name);
        List<Counted> counted = new ArrayList<>();
        for (Scope scope : enabled ? Scope.values() : new Scope[0]) {
            String address = scope == Scope.ADDRESS ? client.network() : client.site();
            if (!address.isEmpty()) {
                Count count = count(key(address), WINDOW, nameId, scope.max);
                if (count.all() > scope.max || count.name() > scope.maxPerName) {
                    // not counted for the site: one network of it must not lock out the others
                    return new Attempt(Math.ceilDiv(Math.max(1, count.remainingMillis()), 1000), nameId, counted);
                }
                counted.add(new Counted(key(address), count.window()));
            }
        }
        return new Attempt(0, nameId, counted);
    }

    /** Takes an attempt back whose hash was never computed. */
    void release(Attempt attempt) {
        giveBack(attempt, "");
    }

    /** Takes a successful attempt back, and resets the name's count: the user may mistype the password as often again. */
    void succeeded(Attempt attempt) {
        giveBack(attempt, "reset");
    }

    private void giveBack(Attempt attempt, String mode) {
        attempt.counted()
                .forEach(counted -> redis.cleanUp(
                        () -> redis.evalInteger(GIVE_BACK, counted.key(), counted.window(), attempt.nameId(), mode)));
    }

    /** Counts a failed login. Returns true for the {@value #ALARM_PER_DAY}th in a day. */
    boolean alarm(String name) {
        return enabled
                && count("throttle:name:" + id(name), Duration.ofDays(1), "", 0).all() == ALARM_PER_DAY;
    }

    private Count count(String key, Duration window, String field, int max) {
        String windowId = Long.toHexString(ThreadLocalRandom.current().nextLong());
        List<String> reply =
                redis.evalList(COUNT, key, Long.toString(window.toMillis()), field, Integer.toString(max), windowId);
        return new Count(
                Long.parseLong(reply.get(0)), Long.parseLong(reply.get(1)), Long.parseLong(reply.get(2)), reply.get(3));
    }

    private static String key(String address) {
        return "throttle:address:" + address;
    }

    // not the name itself: whatever was typed there, a password by mistake too, would be readable in Redis
    private static String id(String name) {
        return TokenStorage.sha256(name.toLowerCase(Locale.ROOT));
    }
}
