package dev.latchkey.testing;

import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * All strings and hashes of a Redis at one moment, which can be restored. Reading and restoring take one command each.
 *
 * @param json from each key to its PTTL and its value; a hash is an array of fields and values
 */
record RedisState(JsonNode json) {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String READ = """
            local all = {}
            for _, key in ipairs(redis.call('KEYS', '*')) do
              local isHash = redis.call('TYPE', key).ok == 'hash'
              all[key] = {redis.call('PTTL', key), redis.call(isHash and 'HGETALL' or 'GET', key)}
            end
            return cjson.encode(all)""";
    private static final String RESTORE = """
            redis.call('FLUSHALL')
            for key, entry in pairs(cjson.decode(ARGV[1])) do
              local pttl, value = unpack(entry)
              if type(value) == 'table' then redis.call('HSET', key, unpack(value)) else redis.call('SET', key, value) end
              if pttl > 0 then redis.call('PEXPIRE', key, pttl) end
            end""";

    static RedisState read(RedisClusterCommands<String, String> redis) {
        return new RedisState(JSON.readTree(redis.<String>eval(READ, ScriptOutputType.VALUE)));
    }

    /** Replaces everything in Redis by this state. */
    void restore(RedisClusterCommands<String, String> redis) {
        var _ = redis.eval(RESTORE, ScriptOutputType.STATUS, new String[0], json.toString());
    }

    /** Returns the state with all matches in its text replaced. */
    RedisState replaceAll(String expression, String replacement) {
        return new RedisState(JSON.readTree(json.toString().replaceAll(expression, replacement)));
    }

    Set<String> keys() {
        return new TreeSet<>(json.propertyNames());
    }

    /** Returns the seconds until the key expires, rounded up, or 0 if it does not expire. */
    long ttl(String key) {
        return Math.max(0, Math.ceilDiv(json.path(key).path(0).asLong(0), 1000));
    }

    /** Returns null if the key does not exist. */
    @Nullable
    String string(String key) {
        return json.has(key) ? json.path(key).path(1).asString() : null;
    }

    /** Returns the fields in their order in Redis, which are none if the key does not exist. */
    Map<String, String> hash(String key) {
        Map<String, String> fields = new LinkedHashMap<>();
        JsonNode flat = json.path(key).path(1);
        for (int i = 0; i < flat.size(); i += 2) {
            fields.put(flat.get(i).asString(), flat.get(i + 1).asString());
        }
        return fields;
    }
}
