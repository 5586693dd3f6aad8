package dev.latchkey.redis;

import io.lettuce.core.RedisException;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.Map;

/** Warns where Redis is set up to lose what it is given: then users vanish, and nothing says so. */
final class Durability {
    private static final System.Logger LOG = System.getLogger("latchkey.redis");

    private Durability() {}

    static void check(RedisClusterCommands<String, String> redis) {
        try {
            Map<String, String> config = redis.configGet("maxmemory-policy", "appendonly", "save");
            String policy = config.getOrDefault("maxmemory-policy", "noeviction");
            if (!policy.equals("noeviction")) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        "Redis evicts users and tokens when its memory is full: set maxmemory-policy noeviction",
                        "maxmemory-policy",
                        policy);
            }
            if ("no".equals(config.get("appendonly")) && "".equals(config.get("save"))) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        "Redis keeps nothing on disk, and a restart of it loses all users: set appendonly yes");
            }
        } catch (RedisException _) {
            // who forbids CONFIG sees to it himself
        }
    }
}
