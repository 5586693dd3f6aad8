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
 * @param keys that it uses; for a scan, the prefix of the keys
 * @param fields of the hash that it uses, or for a script, changes; none if it uses all, or no hash
 */
public record RedisCommand(String name, List<String> keys, List<String> fields) {
    // Scripts count as writes.
    private static final Set<String> READS =
            Set.of("GET", "MGET", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "EXISTS", "PTTL", "SCAN");
    private static final Set<String> OF_SEVERAL_KEYS = Set.of("MGET", "EXISTS", "DEL");
    // No request looks at how much these have deleted.
    private static final Set<String> WITHOUT_RESULT = Set.of("HDEL sessions", "DEL todos");

    /** @param bytes an array of strings, as clients send it */
    static RedisCommand of(byte[] bytes) {
        String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\r\n", -1);
        List<String> words = new ArrayList<>(); // without their lengths
        for (int i = 2; i < lines.length; i += 2) {
            words.add(lines[i]);
        }
        String name = words.removeFirst().toUpperCase(Locale.ROOT);
        List<String> keys = switch (name) {
            case "EVAL" -> words.subList(2, 3); // after the script and the number of keys
            case "SCAN" -> List.of(words.get(2).replace("*", "")); // after the cursor and MATCH
            default -> OF_SEVERAL_KEYS.contains(name) ? words : words.subList(0, Math.min(1, words.size()));
        };
        List<String> fields = switch (name) {
            case "EVAL" -> words.subList(3, Math.min(4, words.size())); // the first argument, if the key is a hash
            case "HGET", "HMGET", "HDEL" -> words.subList(1, words.size());
            default -> List.of();
        };
        return new RedisCommand(name, keys, fields);
    }

    /** Reports whether the order of two commands matters neither for the requests nor for Redis. */
    boolean commutesWith(RedisCommand other) {
        boolean sameKeys =
                keys.stream().anyMatch(other::uses) || other.keys.stream().anyMatch(this::uses);
        boolean bothDelete = WITHOUT_RESULT.contains(toString()) && toString().equals(other.toString());
        return !sameKeys || bothDelete || !(changesWhatIsUsedBy(other) || other.changesWhatIsUsedBy(this));
    }

    private boolean changesWhatIsUsedBy(RedisCommand other) {
        boolean otherFields =
                !fields.isEmpty() && !other.fields.isEmpty() && Collections.disjoint(fields, other.fields);
        return !isRead() && (!otherFields || other.name.equals("EVAL")); // a script reads all fields, and changes one
    }

    boolean isRead() {
        return READS.contains(name);
    }

    private boolean uses(String key) {
        return name.equals("SCAN") ? key.startsWith(keys.getFirst()) : keys.contains(key);
    }

    /** Returns an error that Redis really replies to such a command. */
    String error() {
        String writeError = name.endsWith("DEL")
                ? "-READONLY You can't write against a read only replica.\r\n"
                : "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
        return isRead() ? "-LOADING Redis is loading the dataset in memory\r\n" : writeError;
    }

    /** Returns the name and the kind of each key, such as {@code GET tokens}. */
    @Override
    public String toString() {
        return name
                + keys.stream().map(key -> " " + key.replaceFirst(":.*", "")).collect(Collectors.joining());
    }
}
