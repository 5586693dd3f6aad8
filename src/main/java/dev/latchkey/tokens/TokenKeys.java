package dev.latchkey.tokens;

import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.redis.Redis;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collection;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The keys {@code tokens:{suffix}}, whose value is the username. A token is valid as long as its key exists. Nothing is
 * cached, so that a revoked token is refused from the next request on.
 *
 * @param format of new tokens
 * @param clock in milliseconds
 */
public record TokenKeys(Redis redis, TokenFormat format, InstantSource clock) {
    private static final System.Logger LOG = System.getLogger("latchkey.auth");
    private static final String PREFIX = "tokens:";
    private static final int MAX_USERNAME_LENGTH = 254; // of an e-mail address (RFC 5321 §4.5.3.1.3)
    private static final AtomicBoolean WARNED = new AtomicBoolean();

    /**
     * Returns the username that the token belongs to. Returns null if the token is malformed, unknown, expired or
     * revoked, or if its value cannot be a username. Sends one GET, or no command if the token is malformed.
     */
    public @Nullable String usernameFor(String token) {
        String suffix = TokenFormat.keySuffix(token);
        String username = suffix == null ? null : redis.getForCheck(PREFIX + suffix);
        if (username == null || isPlausibleUsername(username)) {
            return username;
        }
        if (WARNED.compareAndSet(false, true)) {
            LOG.log(WARNING, "the value of a token key cannot be a username: such tokens are refused");
        }
        return null;
    }

    /** Reports whether a token that was valid still is. */
    public boolean isStillValid(String token) {
        return redis.get(PREFIX + suffix(token)) != null;
    }

    /**
     * Sends the command of a token check.
     *
     * @throws dev.latchkey.redis.RedisUnavailableException if token checks fail
     */
    public void probe() {
        var _ = redis.getForCheck(PREFIX);
    }

    /**
     * A valid token.
     *
     * @param expires null if the token never expires, because another program wrote it without a TTL
     */
    public record ValidToken(String username, @Nullable Instant expires) {}

    /**
     * Returns whose token it is and when it expires, under the conditions of {@link #usernameFor}. Sends a PTTL after
     * the GET, which together cost Redis less than a script.
     */
    public @Nullable ValidToken find(String token) {
        String username = usernameFor(token);
        if (username == null) {
            return null;
        }
        Instant now = clock.instant(); // before the PTTL, so that a slow reply does not postpone the end
        long millis = redis.pttl(PREFIX + suffix(token));
        if (millis == -2) {
            return null; // revoked or expired after the GET
        }
        return new ValidToken(username, millis == -1 ? null : now.plusMillis(millis));
    }

    // Another program may have written the value, and may allow other usernames than this service does. Whatever is not
    // printable ASCII would not survive the header that tells an upstream the username.
    private static boolean isPlausibleUsername(String value) {
        for (int i = 0; i < value.length(); i++) {
            if (value.charAt(i) <= ' ' || value.charAt(i) >= 0x7f) {
                return false;
            }
        }
        return !value.isEmpty() && value.length() <= MAX_USERNAME_LENGTH;
    }

    String newToken() {
        return format.newToken();
    }

    /** Returns the part of the key of a valid token that follows {@code tokens:}. */
    String suffix(String token) {
        return Objects.requireNonNull(TokenFormat.keySuffix(token));
    }

    void set(String suffix, String username, Duration ttl) {
        redis.set(PREFIX + suffix, username, ttl);
    }

    /** Deletes a token, and reports whether it was valid. */
    boolean delete(String suffix) {
        return redis.del(PREFIX + suffix);
    }

    /** Deletes the tokens of all users, and returns how many there were. A token that is stored meanwhile may stay. */
    long deleteAll() {
        var deleted = new AtomicLong();
        redis.scanKeys(PREFIX, batch -> deleted.addAndGet(redis.del(batch)));
        return deleted.get();
    }

    /** Returns the suffixes of those keys that exist. */
    Set<String> existing(Collection<String> suffixes) {
        var all = suffixes.stream().map(suffix -> PREFIX + suffix).toList();
        return redis.mget(all).keySet().stream()
                .map(key -> key.substring(PREFIX.length()))
                .collect(Collectors.toSet());
    }
}
