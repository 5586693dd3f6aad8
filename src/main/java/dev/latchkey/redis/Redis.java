package dev.latchkey.redis;

import dev.latchkey.metrics.Registry;
import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.KeyValue;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The Redis commands of the service. Each command touches one key, so that a cluster works like a single Redis. Only
 * {@link #mget} has several keys, which Lettuce splits by slot.
 *
 * <p>Every command throws {@link RedisUnavailableException} if its reply does not arrive or is an error, and {@link
 * WrongTypeException} if the key holds a value of another type. Methods return null for keys and fields that do not
 * exist.
 */
public final class Redis implements AutoCloseable {
    /** Before a script, lets it write while Redis is full. For scripts that store nothing more than there was. */
    public static final String EVEN_IF_FULL = "#!lua flags=allow-oom\n"; // from Redis 7.0 on

    // The arguments are the expected value, a command, and what follows the key in the command.
    private static final String IF_EQUAL = """
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
            return 1""";
    // The arguments are a field, its expected value, a command, and what follows the field in the command.
    private static final String IF_FIELD_EQUAL = """
            if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
            redis.call(ARGV[3], KEYS[1], ARGV[1], unpack(ARGV, 4))
            return 1""";

    // A list must neither fill the queue that all requests share, with a command per slot of a cluster, nor keep Redis
    // busy.
    private static final int MAX_KEYS_AT_ONCE = 50;
    // Redis looks at this number of keys per command, and other clients wait meanwhile: 0.6 ms on average.
    private static final int SCAN_COUNT = 500;

    private final RedisMetrics metrics = new RedisMetrics();
    private final Connector connector;
    // Redis replies in order. A slow command, or a write that Redis holds back, must not delay token checks.
    private final SharedConnection checks;
    private final SharedConnection others;

    /**
     * Starts connecting. The first commands wait until that has succeeded or failed, at most for the command timeout.
     * If it fails, Latchkey keeps trying, and all commands fail until it has succeeded.
     */
    public Redis(RedisSettings settings) {
        // The quiet period is longer than a failing attempt to connect plus the delay before it. If one node of a
        // cluster is down for long, commands for the other nodes succeed in between.
        var outageLog = new OutageLog(settings.timeout().plus(Connector.MAX_RECONNECT_DELAY.multipliedBy(2)));
        connector = new Connector(settings, outageLog::connectFailed);
        checks = new SharedConnection(settings, connector, outageLog, metrics, false, _ -> {});
        others = new SharedConnection(settings, connector, outageLog, metrics, true, PersistenceCheck::run);
        // Connecting takes half of the start-up time, so it runs in parallel with the rest.
        Thread.ofPlatform().daemon().name("redis-connect").start(this::connect);
    }

    // The connection of token checks comes last, because it makes the service ready.
    private void connect() {
        while (!(others.connect() && checks.connect())) {
            LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(Connector.MAX_RECONNECT_DELAY.toNanos()));
        }
    }

    /** Waits until the first attempt to connect has succeeded or failed, at most for the time that it may take. */
    public void awaitFirstAttempt() {
        others.awaitFirstAttempt();
    }

    /**
     * Throws if a command has waited in vain for a reply or a connection since then, because the next one would too.
     *
     * @param nanos a value of {@link System#nanoTime}
     */
    public void requireNoOutageSince(long nanos) {
        others.requireNoOutageSince(nanos);
    }

    /** Adds the measurements of this object to a registry. */
    public void register(Registry registry) {
        metrics.register(registry, connector::isConnected);
    }

    /** Does the same as {@link #get} on the connection of token checks, which no other command delays. */
    public @Nullable String getForCheck(String key) {
        return checks.send(key, redis -> redis.get(key));
    }

    public @Nullable String get(String key) {
        return call(key, redis -> redis.get(key));
    }

    /** Returns the values of those keys that hold a string, without those that do not exist or hold another type. */
    public Map<String, String> mget(List<String> keys) {
        Map<String, String> values = new HashMap<>();
        for (String[] some : batches(keys)) {
            for (var reply : call("", redis -> redis.mget(some))) {
                if (reply.hasValue()) {
                    values.put(reply.getKey(), reply.getValue());
                }
            }
        }
        return values;
    }

    private static List<String[]> batches(List<String> keys) {
        List<String[]> batches = new ArrayList<>();
        for (int from = 0; from < keys.size(); from += MAX_KEYS_AT_ONCE) {
            int to = Math.min(from + MAX_KEYS_AT_ONCE, keys.size());
            batches.add(keys.subList(from, to).toArray(String[]::new));
        }
        return batches;
    }

    /**
     * Passes all keys with a prefix that hold a string, with their values, of all masters of a cluster. A key that exists
     * during the whole scan is passed at least once. It may be passed twice if Redis resizes its table or moves slots
     * meanwhile.
     */
    public void scan(String prefix, BiConsumer<String, String> onValue) {
        scanKeys(prefix, keys -> mget(keys).forEach(onValue));
    }

    /** Passes all keys with a prefix in batches, with the guarantees of {@link #scan}. */
    public void scanKeys(String prefix, Consumer<List<String>> onKeys) {
        ScanArgs arguments = ScanArgs.Builder.matches(prefix + "*").limit(SCAN_COUNT);
        ScanCursor cursor = ScanCursor.INITIAL;
        while (!cursor.isFinished()) {
            ScanCursor from = cursor;
            KeyScanCursor<String> batch = call("", redis -> redis.scan(from, arguments));
            onKeys.accept(batch.getKeys());
            cursor = batch;
        }
    }

    public void set(String key, String value, Duration ttl) {
        call(key, redis -> redis.set(key, value, SetArgs.Builder.ex(ttl)));
    }

    /** Sets the value if the key does not exist, and reports whether it did so. */
    public boolean setIfAbsent(String key, String value, Duration ttl) {
        return call(key, redis -> redis.set(key, value, SetArgs.Builder.nx().ex(ttl))) != null;
    }

    /** Replaces the value, without a TTL, if it still is {@code expected}, and reports whether it did so. */
    public boolean replaceIfEqual(String key, String expected, String value) {
        return eval(IF_EQUAL, key, expected, "SET", value) == 1;
    }

    /**
     * Replaces the value by a shorter one, even if Redis is full, if it still is {@code expected}, and reports whether it
     * did so.
     *
     * @param ttl null for none
     */
    public boolean shrinkIfEqual(String key, String expected, String value, @Nullable Duration ttl) {
        String[] expiry = ttl == null ? new String[0] : new String[] {"EX", Long.toString(ttl.toSeconds())};
        String[] arguments = Stream.concat(Stream.of(expected, "SET", value), Stream.of(expiry))
                .toArray(String[]::new);
        return eval(EVEN_IF_FULL + IF_EQUAL, key, arguments) == 1;
    }

    /** Deletes the key if its value still is {@code expected}, and reports whether it did so. */
    public boolean deleteIfEqual(String key, String expected) {
        return eval(IF_EQUAL, key, expected, "DEL") == 1;
    }

    /** Returns the milliseconds until the key expires, -1 if it has no TTL, and -2 if it does not exist. */
    public long pttl(String key) {
        return call(key, redis -> redis.pttl(key));
    }

    /** Deletes the key, and reports whether it existed. */
    public boolean del(String key) {
        return call(key, redis -> redis.del(key)) == 1;
    }

    /** Deletes the keys, and returns how many of them existed. */
    public long del(List<String> keys) {
        long deleted = 0;
        for (String[] some : batches(keys)) {
            deleted += call("", redis -> redis.del(some));
        }
        return deleted;
    }

    public @Nullable String hget(String key, String field) {
        return call(key, redis -> redis.hget(key, field));
    }

    public Map<String, String> hgetall(String key) {
        return call(key, redis -> redis.hgetall(key));
    }

    public List<String> hkeys(String key) {
        return call(key, redis -> redis.hkeys(key));
    }

    /** Returns the values of those fields that exist, in the order of {@code fields}. */
    public List<String> hmget(String key, Collection<String> fields) {
        if (fields.isEmpty()) {
            return List.of();
        }
        return call(key, redis -> redis.hmget(key, fields.toArray(String[]::new))).stream()
                .filter(KeyValue::hasValue)
                .map(KeyValue::getValue)
                .toList();
    }

    /** Deletes the fields, and reports whether any of them existed. */
    public boolean hdel(String key, Collection<String> fields) {
        return !fields.isEmpty() && call(key, redis -> redis.hdel(key, fields.toArray(String[]::new))) > 0;
    }

    /** Replaces the field's value if it still is {@code expected}, and reports whether it did so. */
    public boolean hsetIfEqual(String key, String field, String expected, String value) {
        return eval(IF_FIELD_EQUAL, key, field, expected, "HSET", value) == 1;
    }

    /** Deletes the field if its value still is {@code expected}, and reports whether it did so. */
    public boolean hdelIfEqual(String key, String field, String expected) {
        return eval(IF_FIELD_EQUAL, key, field, expected, "HDEL") == 1;
    }

    /** Returns the integer that the script returns. */
    public long eval(String script, String key, String... arguments) {
        return call(key, redis -> redis.<Long>eval(script, ScriptOutputType.INTEGER, new String[] {key}, arguments));
    }

    /** Returns the strings that the script returns. */
    public List<String> evalList(String script, String key, String... arguments) {
        return call(
                key, redis -> redis.<List<String>>eval(script, ScriptOutputType.MULTI, new String[] {key}, arguments));
    }

    private <T extends @Nullable Object> T call(String key, Function<RedisClusterCommands<String, String>, T> command) {
        return others.send(key, command);
    }

    @Override
    public void close() {
        checks.close();
        others.close();
        connector.close();
    }
}
