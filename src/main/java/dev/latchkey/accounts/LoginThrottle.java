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
 * throttle:{scope}:{address}} have these fields, which end with the fixed window.
 *
 * <ul>
 *   <li>{@code all}: attempts from that address, except successful ones
 *   <li>{@code busy}: those of them whose hash is being computed
 *   <li>{@code ID} and {@code ID:busy}: the same for one username
 *   <li>{@code refused}: exists if an attempt was refused, which is logged once
 *   <li>{@code window}: identifies the window
 * </ul>
 *
 * <p>An attempt is checked and then counted, in one script, immediately before its hash is computed. A refused attempt
 * changes no count, so an address above a limit can neither extend its window nor fill the memory. There is no limit on
 * a username alone, because anyone could then lock a user out.
 *
 * @param scope {@code address} for passwords. Other secrets have another scope, so that a program with a wrong secret
 *     does not lock out the users behind its address.
 * @param enabled if false, nothing is counted and every attempt is allowed
 */
public record LoginThrottle(Redis redis, String scope, boolean enabled) {
    private static final Duration WINDOW = Duration.ofMinutes(15);

    // Returns 0 and the window, or the milliseconds until a retry may succeed and whether this is the first refusal. If
    // only attempts in flight are in the way, that is soon, because correct ones give their counts back. A hash without
    // a TTL gets one, because it would otherwise stay locked forever.
    private static final String COUNT = """
            local key, id = KEYS[1], ARGV[2]
            if redis.call('PTTL', key) < 0 then
              redis.call('HSET', key, 'window', ARGV[5])
              redis.call('PEXPIRE', key, ARGV[1])
            end
            local function number(field) return tonumber(redis.call('HGET', key, field) or 0) end
            local all, name, max, maxPerName = number('all'), number(id), tonumber(ARGV[3]), tonumber(ARGV[4])
            if all >= max or name >= maxPerName then
              local soon = all - number('busy') < max and name - number(id .. ':busy') < maxPerName
              local retry = math.max(1, redis.call('PTTL', key))
              if soon then retry = math.min(retry, 1000) end
              return {tostring(retry), tostring(redis.call('HSET', key, 'refused', 1))}
            end
            redis.call('HINCRBY', key, 'all', 1)
            if id ~= '' then
              for _, field in ipairs({id, id .. ':busy', 'busy'}) do redis.call('HINCRBY', key, field, 1) end
            end
            return {'0', redis.call('HGET', key, 'window') or ''}""";
    // Only within the window of the count: in a later window it would allow more attempts than the limit. A success
    // leaves only those attempts of the username that are in flight.
    private static final String END = Redis.EVEN_IF_FULL + """
            local key, id, outcome, gone = KEYS[1], ARGV[2], ARGV[3], {}
            if not redis.call('HGET', key, 'all') or (redis.call('HGET', key, 'window') or '') ~= ARGV[1] then return 0 end
            local function subtract(number, field)
              local left = redis.call('HINCRBY', key, field, -number)
              if left == 0 and field ~= 'all' then gone[#gone + 1] = field end
              return left
            end
            if outcome ~= 'failed' and subtract(1, 'all') == 0 and outcome == 'withdrawn' then
              return redis.call('DEL', key)
            end
            if id == '' then return 1 end
            local busy = subtract(1, id .. ':busy')
            subtract(1, 'busy')
            if outcome == 'withdrawn' then subtract(1, id) end
            if outcome == 'succeeded' then subtract(redis.call('HGET', key, id) - busy, id) end
            if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
            return 1""";

    private record Limit(String address, int max, int maxPerName) {}

    private record Count(String key, String window) {}

    /** A counted attempt, which ends with {@link #end}. */
    public record Attempt(String nameId, List<Count> counts) {}

    /**
     * Counts an attempt that has no username, and that counts whether it succeeds or not.
     *
     * @throws RateLimitedException if there were too many attempts
     */
    public void count(ClientInfo client) {
        var _ = start(client, "", null, false);
    }

    /**
     * Counts an attempt to log in.
     *
     * @param name the username as typed, whether such a user exists or not
     * @param passwordHash of the user; null if there is none. A new password has no failed attempts.
     * @param evenIfFull whether the attempt may be counted while Redis is full, because what follows makes room
     * @throws RateLimitedException if there were too many attempts
     */
    public Attempt start(ClientInfo client, String name, @Nullable String passwordHash, boolean evenIfFull) {
        // Not the username itself: a user may have typed a password there, which would be readable in Redis.
        String nameId = name.isEmpty() ? "" : Base64Url.sha256(name.toLowerCase(Locale.ROOT) + '\n' + passwordHash);
        List<Count> counts = new ArrayList<>();
        // Many users may share the /48 of an IPv6 address, but a single client may own its 65,536 networks. The /48
        // comes first, so that an attempt above its limit takes a single command.
        var limits = List.of(new Limit(client.siteRateLimitKey(), 1000, 40), new Limit(client.rateLimitKey(), 100, 10));
        for (Limit limit : limits) {
            if (!enabled || limit.address().isEmpty()) {
                continue;
            }
            String key = "throttle:" + scope + ":" + limit.address();
            String window = Long.toHexString(ThreadLocalRandom.current().nextLong());
            String max = Integer.toString(limit.max());
            String maxPerName = Integer.toString(limit.maxPerName());
            String script = evenIfFull ? Redis.EVEN_IF_FULL + COUNT : COUNT;
            List<String> reply =
                    redis.evalList(script, key, Long.toString(WINDOW.toMillis()), nameId, max, maxPerName, window);
            long retryMillis = Long.parseLong(reply.getFirst());
            if (retryMillis > 0) {
                // One network must not lock out the others of its site.
                CleanUp.ignoreFailure(() -> end(new Attempt(nameId, counts), "withdrawn"));
                if (scope.equals("address") && reply.getLast().equals("1")) {
                    Audit.log("throttled", client, Username.canonical(name), "");
                }
                throw new RateLimitedException(Math.ceilDiv(retryMillis, 1000));
            }
            counts.add(new Count(key, reply.getLast()));
        }
        return new Attempt(nameId, counts);
    }

    /**
     * Ends an attempt. If that fails, the attempt stays counted.
     *
     * @param succeeded whether to give it back and to forget the failed ones of the user, who may mistype the password
     *     again
     */
    public void end(Attempt attempt, boolean succeeded) {
        if (succeeded) {
            end(attempt, "succeeded"); // a failure would soon be followed by another one
        } else {
            CleanUp.ignoreFailure(() -> end(attempt, "failed"));
        }
    }

    private void end(Attempt attempt, String outcome) {
        for (Count count : attempt.counts()) {
            var _ = redis.eval(END, count.key(), count.window(), attempt.nameId(), outcome);
        }
    }
}
