package dev.latchkey.auth;

import dev.latchkey.http.Json;
import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import org.jspecify.annotations.Nullable;

/** The records {@code users:{username}}: JSON {@code {username, passwordHash, createdDate}}, without a TTL. */
final class UserStore {
    private final RedisClusterCommands<String, String> redis;

    UserStore(RedisClusterCommands<String, String> redis) {
        this.redis = redis;
    }

    /** False where the name is taken: of any number of callers at once, one gets true. */
    boolean create(User user) {
        return redis.set(key(user.username()), Json.text(user), SetArgs.Builder.nx()) != null;
    }

    /** Null where there is no such user. */
    @Nullable
    User find(String username) {
        String json = redis.get(key(username));
        return json == null ? null : Json.read(json, User.class);
    }

    private static String key(String username) {
        return "users:" + username;
    }
}
