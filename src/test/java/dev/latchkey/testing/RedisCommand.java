package dev.latchkey.testing;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A Redis command that is about to be sent.
 *
 * @param keys that it uses; none for a scan, which uses all
 */
public record RedisCommand(String name, List<String> keys) {
    // Scripts count as writes.
    private static final Set<String> READS =
            Set.of("GET", "MGET", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "EXISTS", "PTTL", "SCAN");
    private static final Set<String> OF_SEVERAL_KEYS = Set.of("MGET", "EXISTS", "DEL");

    /** @param bytes an array of strings, as clients send it */
    static RedisCommand of(byte[] bytes) {
        String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\r\n", -1);
        String name = lines[2].toUpperCase(Locale.ROOT);
        int key = name.startsWith("EVAL") ? 8 : 4; // after the script and the number of keys
        List<String> keys = new ArrayList<>();
        while (!name.equals("SCAN") && key < lines.length && (keys.isEmpty() || OF_SEVERAL_KEYS.contains(name))) {
            keys.add(lines[key]);
            key += 2;
        }
        return new RedisCommand(name, keys);
    }

    /** Reports whether the order of two commands matters neither for their replies nor for Redis. */
    boolean commutesWith(RedisCommand other) {
        boolean differentKeys = !keys.isEmpty() && !other.keys.isEmpty() && Collections.disjoint(keys, other.keys);
        return differentKeys || (READS.contains(name) && READS.contains(other.name));
    }

    /** Returns an error that Redis really replies to such a command. */
    String error() {
        String writeError = name.endsWith("DEL")
                ? "-READONLY You can't write against a read only replica.\r\n"
                : "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
        return READS.contains(name) ? "-LOADING Redis is loading the dataset in memory\r\n" : writeError;
    }

    /** Returns the name and the kind of each key, such as {@code GET tokens}. */
    @Override
    public String toString() {
        return name
                + keys.stream().map(key -> " " + key.replaceFirst(":.*", "")).collect(Collectors.joining());
    }
}
