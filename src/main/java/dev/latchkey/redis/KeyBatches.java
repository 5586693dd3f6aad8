package dev.latchkey.redis;

import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.stream.Gatherers;
import org.jspecify.annotations.Nullable;

/**
 * Commands for many keys, which may be on different nodes.
 *
 * <p>Each key has its own command, and up to 50 commands are sent at once. Sending one command after the other would
 * double the time of a list of 50 sessions even beside Redis. Sending all commands at once would fill the queue that
 * all requests share.
 */
public record KeyBatches(Redis redis) {
    private static final int MAX_COMMANDS_AT_ONCE = 50;
    // Redis looks at this number of keys per command, and other clients wait meanwhile: 0.6 ms on average.
    private static final int SCAN_COUNT = 500;

    /** Returns those of the keys that exist. */
    public Set<String> existing(List<String> keys) {
        Map<String, Long> counts = send(keys, (commands, key) -> commands.exists(key));
        counts.values().removeIf(count -> count == 0);
        return counts.keySet();
    }

    /** Returns the values of those keys that hold a string. */
    public Map<String, String> get(List<String> keys) {
        return send(keys, (commands, key) -> commands.get(key));
    }

    /** Returns the number of fields per key, without the keys that hold a value of another type. */
    public Map<String, Long> hlen(List<String> keys) {
        return send(keys, (commands, key) -> commands.hlen(key));
    }

    /**
     * Passes all keys with a prefix, of all masters of a cluster, in batches. A key that exists during the whole scan is
     * passed at least once. It may be passed twice if Redis resizes its table or moves slots meanwhile.
     */
    public void scan(String prefix, Consumer<List<String>> onKeys) {
        ScanArgs arguments = ScanArgs.Builder.matches(prefix + "*").limit(SCAN_COUNT);
        ScanCursor cursor = ScanCursor.INITIAL;
        do {
            ScanCursor from = cursor;
            KeyScanCursor<String> batch =
                    redis.send("", connection -> connection.sync().scan(from, arguments));
            onKeys.accept(batch.getKeys());
            cursor = batch;
        } while (!cursor.isFinished());
    }

    private <T> Map<String, T> send(
            List<String> keys, BiFunction<RedisClusterAsyncCommands<String, String>, String, RedisFuture<T>> command) {
        Map<String, T> replies = new HashMap<>();
        var windows = keys.stream().gather(Gatherers.windowFixed(MAX_COMMANDS_AT_ONCE));
        windows.forEach(some -> replies.putAll(redis.send("", connection -> {
            Map<String, RedisFuture<T>> sent = new HashMap<>();
            some.forEach(key -> sent.put(key, command.apply(connection.async(), key)));
            Map<String, T> received = new HashMap<>();
            sent.forEach((key, reply) -> {
                T value = await(reply);
                if (value != null) {
                    received.put(key, value);
                }
            });
            return received;
        })));
        return replies;
    }

    // Returns null if the key does not exist, or holds a value of another type: it must not hide the other keys.
    private static <T> @Nullable T await(RedisFuture<T> reply) {
        try {
            // No timeout is needed, because ReplyTimeouts ends each wait.
            return LettuceFutures.awaitOrCancel(reply, 0, TimeUnit.NANOSECONDS);
        } catch (RedisCommandExecutionException e) {
            if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
                return null;
            }
            throw e;
        }
    }
}
