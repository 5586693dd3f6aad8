package dev.latchkey.auth;

import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How often a password may be tried: counters {@code throttle:…} with fixed windows, in Redis, for all instances together.
 *
 * <p>An attempt is charged before its hash is computed: of many at once, a check before and a count after would let all
 * in. There is no limit for a name alone: with one, anybody could lock anybody out.
 */
public final class LoginThrottle {
    // a counter that lost its TTL gets a new one: else it would lock for ever
    private static final String CHARGE = """
            local count = redis.call('INCR', KEYS[1])
            if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
            return {count, redis.call('PTTL', KEYS[1])}""";
    // a DECR of a counter that has expired would leave one that never does
    private static final String REFUND = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end";
    private static final int MAX_PER_NETWORK = 100;
    private static final int MAX_PER_NAME_AND_NETWORK = 10;
    private static final Duration WINDOW = Duration.ofMinutes(15);
    static final int ALARM_PER_NAME = 100;
    private static final Duration ALARM_WINDOW = Duration.ofDays(1);

    private final RedisClusterCommands<String, String> redis;
    private final boolean enabled;

    public LoginThrottle(RedisClusterCommands<String, String> redis, boolean enabled) {
        this.redis = redis;
        this.enabled = enabled;
    }

    private record Counter(long count, Duration rest) {
        long secondsToWait(int max) {
            return count <= max ? 0 : Math.max(1, rest.plusMillis(999).toSeconds());
        }
    }

    /**
     * Charges an attempt from {@code network}, an address or an IPv6 /64, before its hash is computed.
     *
     * @param name that somebody logs in with, whether there is such a user or not; null where it is no login
     * @return 0 where it may be made; else how many seconds the client has to wait
     */
    long charge(String network, @Nullable String name) {
        if (!enabled) {
            return 0;
        }
        long wait = count(networkKey(network), WINDOW).secondsToWait(MAX_PER_NETWORK);
        // a network beyond its limit adds no more counters: it could else fill the memory with names
        return wait > 0 || name == null
                ? wait
                : count(pairKey(network, name), WINDOW).secondsToWait(MAX_PER_NAME_AND_NETWORK);
    }

    /** Takes a charge back whose hash was never computed. */
    void refund(String network, @Nullable String name) {
        if (enabled) {
            refund(networkKey(network));
            if (name != null) {
                refund(pairKey(network, name));
            }
        }
    }

    /** After a good login: whoever knows the password may mistype it as often again. */
    void clear(String network, String name) {
        if (enabled) {
            redis.del(pairKey(network, name));
        }
    }

    /** Counts a failed login. True for the {@value #ALARM_PER_NAME}th in a day, wherever they come from. */
    boolean alarm(String name) {
        return enabled && count("throttle:name:" + id(name), ALARM_WINDOW).count() == ALARM_PER_NAME;
    }

    private Counter count(String key, Duration window) {
        List<Long> answer =
                redis.eval(CHARGE, ScriptOutputType.MULTI, new String[] {key}, Long.toString(window.toMillis()));
        return new Counter(answer.get(0), Duration.ofMillis(answer.get(1)));
    }

    private void refund(String key) {
        redis.eval(REFUND, ScriptOutputType.STATUS, new String[] {key});
    }

    private static String networkKey(String network) {
        return "throttle:address:" + network;
    }

    private static String pairKey(String network, String name) {
        return "throttle:pair:" + id(name) + ":" + network;
    }

    // not the name: whatever was typed there, a password by mistake too, would stand in Redis
    private static String id(String name) {
        return TokenStorage.sha256(name.toLowerCase(Locale.ROOT));
    }
}
