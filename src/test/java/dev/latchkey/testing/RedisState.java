package dev.latchkey.testing;

import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** All strings and hashes of a Redis at one moment, which can be restored. Reading and restoring take one command each. */
final class RedisState {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String READ = """
            local all = {}
            for _, key in ipairs(redis.call('KEYS', '*')) do
              local hash = redis.call('TYPE', key).ok == 'hash'
              all[#all + 1] = {key, redis.call('PTTL', key), redis.call(hash and 'HGETALL' or 'GET', key)}
            end
            return cjson.encode(all)""";
    private static final String RESTORE = """
            redis.call('FLUSHALL')
            for _, entry in ipairs(cjson.decode(ARGV[1])) do
              local key, pttl, value = unpack(entry)
              if type(value) == 'table' then redis.call('HSET', key, unpack(value)) else redis.call('SET', key, value) end
              if pttl > 0 then redis.call('PEXPIRE', key, pttl) end
            end""";

    private final String json;
    private final Map<String, JsonNode> values = new TreeMap<>();
    private final Map<String, Long> millis = new TreeMap<>();

    private RedisState(String json) {
        this.json = json;
        for (JsonNode entry : JSON.readTree(json)) {
            String key = entry.get(0).asString();
            millis.put(key, entry.get(1).asLong());
            values.put(key, entry.get(2));
        }
    }

    static RedisState read(RedisClusterCommands<String, String> redis) {
        return new RedisState(redis.eval(READ, ScriptOutputType.VALUE));
    }

    /** Replaces everything in Redis by this state. */
    void restore(RedisClusterCommands<String, String> redis) {
        var _ = redis.eval(RESTORE, ScriptOutputType.STATUS, new String[0], json);
    }

    Set<String> keys() {
        return values.keySet();
    }

    /** Returns the seconds until the key expires, rounded up, or 0 if it does not expire. */
    long ttl(String key) {
        return Math.max(0, Math.ceilDiv(millis.getOrDefault(key, 0L), 1000));
    }

    /** Returns null if the key does not exist. */
    @Nullable
    String string(String key) {
        JsonNode value = values.get(key);
        return value == null ? null : value.asString();
    }

    /** Returns the fields in their order in Redis, which are none if the key does not exist. */
    Map<String, String> hash(String key) {
        Map<String, String> fields = new LinkedHashMap<>();
        JsonNode flat = values.get(key);
        for (int i = 0; flat != null && i < flat.size(); i += 2) {
            fields.put(flat.get(i).asString(), flat.get(i + 1).asString());
        }
        return fields;
    }
}
