package dev.latchkey.auth;

import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The keys {@code tokens:{uuid}}: the value is the username, the TTL is the token's. A token is valid as long as its key
 * is there; nothing is cached, so that a revoked one is refused from the next request on.
 */
final class TokenStore {
    private static final int LENGTH = 36;

    private final RedisClusterCommands<String, String> redis;
    private final Duration ttl;

    TokenStore(RedisClusterCommands<String, String> redis, Duration ttl) {
        this.redis = redis;
        this.ttl = ttl;
    }

    /** A new token: a random UUID (RFC 9562 §5.4), 122 bits from {@link java.security.SecureRandom}. */
    String issue(String username) {
        String token = UUID.randomUUID().toString();
        redis.set(key(token), username, SetArgs.Builder.ex(ttl));
        return token;
    }

    /** Whose token it is; null where it is unknown, expired or revoked. One GET, or none where it cannot be a token. */
    @Nullable
    String find(String token) {
        return isWellFormed(token) ? redis.get(key(token)) : null;
    }

    /**
     * A new token in place of {@code old}; null where {@code old} was no longer live. Of any number of calls at once, one
     * gets a token. The new one is written first and disclosed last: a crash between the two leaves the client its old
     * one, and a token nobody knows. Should deleting the old fail, nothing is disclosed either.
     */
    @Nullable
    String replace(String old, String username) {
        String token = issue(username);
        if (revoke(old)) {
            return token;
        }
        revoke(token);
        return null;
    }

    /** False where it was not live. */
    boolean revoke(String token) {
        return redis.del(key(token)) == 1;
    }

    private static String key(String token) {
        return "tokens:" + token;
    }

    /** Whether it is a UUID in lower case, the one form that keys have. Spares Redis the rest. */
    private static boolean isWellFormed(String token) {
        if (token.length() != LENGTH) {
            return false;
        }
        for (int i = 0; i < LENGTH; i++) {
            char c = token.charAt(i);
            boolean dash = i == 8 || i == 13 || i == 18 || i == 23;
            boolean hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            if (dash ? c != '-' : !hex) {
                return false;
            }
        }
        return true;
    }
}
