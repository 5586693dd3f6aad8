package dev.latchkey.auth;

import dev.latchkey.redis.Redis;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How often a password may be tried: the hashes {@code throttle:address:{network}}, of fixed windows, in Redis for all
 * instances together. Field {@code all} counts the attempts from there, a name's the ones for it.
 *
 * <p>An attempt is charged before its hash is computed: of many at once, a check before and a count after would let all
 * in. There is no limit for a name alone: with one, anybody could lock anybody out.
 */
public final class LoginThrottle {
    /** Failed logins of one name, wherever they come from. */
    static final int ALARM_PER_DAY = 100;

    private static final int MAX_PER_NETWORK = 100;
    private static final int MAX_PER_NAME_AND_NETWORK = 10;
    private static final Duration WINDOW = Duration.ofMinutes(15);

    // A network beyond its limit adds no more names: it could else fill the memory with them. A hash without a TTL gets
    // one: it would else lock for ever.
    private static final String CHARGE = """
            local all = redis.call('HINCRBY', KEYS[1], 'all', 1)
            local name = 0
            if ARGV[2] ~= '' and all <= tonumber(ARGV[3]) then name = redis.call('HINCRBY', KEYS[1], ARGV[2], 1) end
            if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
            return {all, name, redis.call('PTTL', KEYS[1])}""";
    // of a window that has passed nothing is left to be taken back
    private static final String REFUND = """
            if redis.call('EXISTS', KEYS[1]) == 0 then return end
            redis.call('HINCRBY', KEYS[1], 'all', -1)
            if ARGV[1] ~= '' then redis.call('HINCRBY', KEYS[1], ARGV[1], -1) end""";

    private final Redis redis;
    private final boolean enabled;

    private record Count(long all, long name, long restMillis) {}

    /** @param enabled where false, nothing is counted and nothing refused */
    public LoginThrottle(Redis redis, boolean enabled) {
        this.redis = redis;
        this.enabled = enabled;
    }

    /**
     * Charges an attempt from {@code network}, an address or an IPv6 /64.
     *
     * @param name that somebody logs in with, whether there is such a user or not; null where it is no login
     * @return 0 where it may be made; else in how many seconds the window ends
     */
    long charge(String network, @Nullable String name) {
        if (!enabled) {
            return 0;
        }
        Count count = count(key(network), WINDOW, id(name));
        boolean free = count.all() <= MAX_PER_NETWORK && count.name() <= MAX_PER_NAME_AND_NETWORK;
        return free ? 0 : Math.ceilDiv(Math.max(1, count.restMillis()), 1000);
    }

    /** Takes a charge back whose hash was never computed. */
    void refund(String network, @Nullable String name) {
        if (enabled) {
            redis.eval(REFUND, key(network), id(name));
        }
    }

    /** After a good login: whoever knows the password may mistype it as often again. */
    void clear(String network, String name) {
        if (enabled) {
            redis.hdel(key(network), Set.of(id(name)));
        }
    }

    /** Counts a failed login. True for the {@value #ALARM_PER_DAY}th in a day. */
    boolean alarm(String name) {
        return enabled
                && count("throttle:name:" + id(name), Duration.ofDays(1), "").all() == ALARM_PER_DAY;
    }

    private Count count(String key, Duration window, String field) {
        List<Long> answer =
                redis.evalList(CHARGE, key, Long.toString(window.toMillis()), field, Integer.toString(MAX_PER_NETWORK));
        return new Count(answer.get(0), answer.get(1), answer.get(2));
    }

    private static String key(String network) {
        return "throttle:address:" + network;
    }

    // not the name itself: whatever was typed there, a password by mistake too, would stand in Redis
    private static String id(@Nullable String name) {
        return name == null ? "" : TokenStorage.sha256(name.toLowerCase(Locale.ROOT));
    }
}
