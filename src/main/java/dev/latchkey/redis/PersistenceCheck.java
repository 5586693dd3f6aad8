package dev.latchkey.redis;

import static java.lang.System.Logger.Level.WARNING;

import io.lettuce.core.RedisException;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.Map;

/** Warns if Redis is configured so that it silently loses data. */
final class PersistenceCheck {
    private static final System.Logger LOG = System.getLogger("latchkey.redis");

    private PersistenceCheck() {}

    static void run(RedisClusterCommands<String, String> redis) {
        try {
            Map<String, String> config = redis.configGet("maxmemory-policy", "appendonly", "save");
            String policy = config.getOrDefault("maxmemory-policy", "noeviction");
            if (!policy.equals("noeviction")) {
                String message =
                        "Redis evicts users and tokens when its memory is full: set maxmemory-policy noeviction";
                LOG.log(WARNING, message, "maxmemory-policy", policy);
            }
            if ("no".equals(config.get("appendonly")) && "".equals(config.get("save"))) {
                LOG.log(WARNING, "Redis writes nothing to disk, so a restart loses all users: set appendonly yes");
            }
        } catch (RedisException _) {
            // The operator has forbidden CONFIG, and is assumed to have checked the configuration.
        }
    }
}
