package dev.latchkey.redis;

import dev.latchkey.redis.RedisUnavailableException.Reason;
import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import reactor.util.Loggers;

/**
 * The Redis commands of the service. Each command touches one key, so that a cluster works like a single Redis.
 *
 * <p>All threads share one connection (one per node of a cluster), because Redis replies in order. A second connection would
 * cost a token check 13 % more CPU, because more threads are woken. While there is no connection, commands fail at once.
 *
 * <p>Every command throws {@link RedisUnavailableException} if its reply does not arrive or is an error, and {@link
 * WrongTypeException} if the key holds a value of another type. Methods return null for keys and fields that do not exist.
 */
public final class Redis implements AutoCloseable {
    private static final String REPLACE_IF_EQUAL = """
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            redis.call('SET', KEYS[1], unpack(ARGV, 2))
            return 1""";
    private static final String DELETE_IF_EQUAL = """
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            return redis.call('DEL', KEYS[1])""";
    private static final String DELETE_FIELD_IF_EQUAL = """
            if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
            return redis.call('HDEL', KEYS[1], ARGV[1])""";

    private static final int MAX_RETRIES = 10;
    private static final int RETRY_MILLIS = 10;
    private static final int MAX_COMMANDS_AT_ONCE = 50;
    // Lettuce would log one line per attempt to reconnect. OutageLog logs what an operator needs to know.
    private static final Logger LETTUCE_LOGGER = Logger.getLogger("io.lettuce");

    static {
        // SLF4J, which a part of Lettuce uses, would print that it has no provider.
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE);
        Loggers.useJdkLoggers();
        LETTUCE_LOGGER.setLevel(Level.SEVERE);
        // A tool for authors of netty handlers, whose stack traces cost 1 % of the CPU of a token check.
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    }

    /** A key holds a value of another type than it should, so a retry cannot succeed. */
    public static final class WrongTypeException extends RuntimeException {
        private static final long serialVersionUID = 1;

        WrongTypeException() {
            super("a key holds a value of the wrong type");
        }
    }

    private final Connector connector;
    private final OutageLog outageLog;
    private final Duration timeout;
    private final CountDownLatch firstAttempt = new CountDownLatch(1);
    private volatile Connector.@Nullable Connection connection;
    private volatile boolean closed;

    private Redis(String url, boolean cluster, Duration timeout) {
        // The quiet period is longer than a failing attempt to connect plus the delay before it. If one node of a
        // cluster is down for long, commands for the other nodes succeed in between.
        outageLog = new OutageLog(timeout.plus(Connector.MAX_RECONNECT_DELAY.multipliedBy(2)));
        this.timeout = timeout;
        connector = new Connector(url, cluster, timeout, outageLog::connectFailed);
        // Connecting takes half of the start-up time, so it runs in parallel with the rest.
        Thread.ofPlatform().daemon().name("redis-connect").start(this::connect);
    }

    /**
     * Starts connecting. The first commands wait until that has succeeded or failed, at most {@code timeout}. If it fails,
     * Latchkey keeps trying, and all commands fail until it has succeeded.
     *
     * @param url must be valid according to {@link #checkUrl}
     * @param cluster whether {@code url} is a node of a cluster; several URLs always are
     * @param timeout of each command, and of each attempt to connect
     */
    public static Redis connect(String url, boolean cluster, Duration timeout) {
        return new Redis(url, cluster, timeout);
    }

    /** @throws IllegalArgumentException if {@link #connect} does not accept the URL. The message does not quote it. */
    public static void checkUrl(String url) {
        Connector.parse(url);
    }

    public void ping() {
        call(RedisClusterCommands::ping);
    }

    public @Nullable String get(String key) {
        return call(redis -> redis.get(key));
    }

    public void set(String key, String value, Duration ttl) {
        call(redis -> redis.set(key, value, SetArgs.Builder.ex(ttl)));
    }

    /** Sets the value if the key does not exist, and reports whether it did so. */
    public boolean setIfAbsent(String key, String value, Duration ttl) {
        return call(redis -> redis.set(key, value, SetArgs.Builder.nx().ex(ttl))) != null;
    }

    /** Replaces the value, without a TTL, if it still is {@code expected}, and reports whether it did so. */
    public boolean replaceIfEqual(String key, String expected, String value) {
        return eval(REPLACE_IF_EQUAL, key, expected, value) == 1;
    }

    /** Replaces the value, with a TTL, if it still is {@code expected}, and reports whether it did so. */
    public boolean replaceIfEqual(String key, String expected, String value, Duration ttl) {
        return eval(REPLACE_IF_EQUAL, key, expected, value, "EX", Long.toString(ttl.toSeconds())) == 1;
    }

    /** Deletes the key if its value still is {@code expected}, and reports whether it did so. */
    public boolean deleteIfEqual(String key, String expected) {
        return eval(DELETE_IF_EQUAL, key, expected) == 1;
    }

    /** Returns the milliseconds until the key expires, -1 if it has no TTL, and -2 if it does not exist. */
    public long pttl(String key) {
        return call(redis -> redis.pttl(key));
    }

    /** Deletes the key, and reports whether it existed. */
    public boolean del(String key) {
        return call(redis -> redis.del(key)) == 1;
    }

    /**
     * Returns those of the keys that exist.
     *
     * <p>Sends one command per key, because the keys may be on different nodes, and up to 50 commands at once. Sending one
     * after the other would double the time of a list of 50 sessions even beside Redis. Sending all at once would fill the
     * queue that all requests share.
     */
    public Set<String> existingKeys(List<String> keys) {
        Set<String> existing = new HashSet<>();
        for (int start = 0; start < keys.size(); start += MAX_COMMANDS_AT_ONCE) {
            List<String> some = keys.subList(start, Math.min(keys.size(), start + MAX_COMMANDS_AT_ONCE));
            existing.addAll(send(redis -> {
                Map<String, RedisFuture<Long>> replies = new HashMap<>();
                some.forEach(key -> replies.put(key, redis.async().exists(key)));
                // Without a timeout here, because ReplyTimeouts ends each wait.
                replies.values().removeIf(reply -> LettuceFutures.awaitOrCancel(reply, 0, TimeUnit.NANOSECONDS) == 0);
                return replies.keySet();
            }));
        }
        return existing;
    }

    public @Nullable String hget(String key, String field) {
        return call(redis -> redis.hget(key, field));
    }

    public Map<String, String> hgetall(String key) {
        return call(redis -> redis.hgetall(key));
    }

    /** @param onField receives the fields one by one, on the thread that reads from Redis */
    public void hkeys(String key, Consumer<String> onField) {
        call(redis -> redis.hkeys(onField::accept, key));
    }

    /** Returns the values of those fields that exist, in the order of {@code fields}. */
    public List<String> hmget(String key, Collection<String> fields) {
        if (fields.isEmpty()) {
            return List.of();
        }
        return call(redis -> redis.hmget(key, fields.toArray(String[]::new))).stream()
                .filter(KeyValue::hasValue)
                .map(KeyValue::getValue)
                .toList();
    }

    /** Deletes the fields, and reports whether any of them existed. */
    public boolean hdel(String key, Collection<String> fields) {
        return !fields.isEmpty() && call(redis -> redis.hdel(key, fields.toArray(String[]::new))) > 0;
    }

    /** Deletes the field if its value still is {@code expected}, and reports whether it did so. */
    public boolean hdelIfEqual(String key, String field, String expected) {
        return eval(DELETE_FIELD_IF_EQUAL, key, field, expected) == 1;
    }

    /** Returns the integer that the script returns. */
    public long eval(String script, String key, String... arguments) {
        return call(redis -> redis.<Long>eval(script, ScriptOutputType.INTEGER, new String[] {key}, arguments));
    }

    /** Returns the strings that the script returns. */
    public List<String> evalList(String script, String key, String... arguments) {
        return call(redis -> redis.<List<String>>eval(script, ScriptOutputType.MULTI, new String[] {key}, arguments));
    }

    /**
     * Runs a clean-up. If it fails, the failure is ignored, because it must not withhold what has already succeeded. If the
     * connection has just been lost, this method waits for a new connection, at most for the command timeout.
     */
    public void cleanUp(Runnable task) {
        long deadline = System.nanoTime() + timeout.toNanos();
        try {
            while (true) {
                try {
                    task.run();
                    return;
                } catch (RedisUnavailableException e) {
                    if (e.reason() != Reason.NOT_CONNECTED || System.nanoTime() - deadline > 0) {
                        return;
                    }
                }
                Thread.sleep(RETRY_MILLIS);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /** Runs a clean-up after a failure on another thread, so that the response does not wait for it. */
    public void cleanUpLater(Runnable task) {
        Thread.startVirtualThread(() -> cleanUp(task));
    }

    private boolean tryConnect() {
        try {
            var opened = connector.connect();
            PersistenceCheck.run(opened.sync());
            connection = opened;
            return true;
        } catch (RuntimeException e) { // if closed meanwhile, Lettuce and netty throw other exceptions too
            if (!closed) {
                outageLog.connectFailed(e);
            }
            return false;
        }
    }

    // Lettuce reconnects by itself, but only after it has been connected once.
    private void connect() {
        try {
            while (!closed && !tryConnect()) {
                firstAttempt.countDown();
                Thread.sleep(ThreadLocalRandom.current().nextLong(Connector.MAX_RECONNECT_DELAY.toMillis()));
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } finally {
            firstAttempt.countDown();
        }
    }

    private <T extends @Nullable Object> T call(Function<RedisClusterCommands<String, String>, T> command) {
        return send(redis -> command.apply(redis.sync()));
    }

    private <T extends @Nullable Object> T send(Function<Connector.Connection, T> command) {
        try {
            for (int i = 0; ; i++) {
                try {
                    T reply = command.apply(connection());
                    outageLog.commandSucceeded();
                    return reply;
                } catch (RedisException e) {
                    if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
                        throw new WrongTypeException();
                    }
                    // The first command for a node of a cluster opens the connection to that node, and Lettuce
                    // rejects it. It was not sent, so it can be sent again.
                    var reason = reason(e);
                    boolean retry = connector.isCluster() && reason == Reason.NOT_CONNECTED;
                    if (!retry || i == MAX_RETRIES) {
                        outageLog.commandFailed(e);
                        throw new RedisUnavailableException(reason, e);
                    }
                }
                Thread.sleep(RETRY_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RedisUnavailableException(Reason.DISCONNECTED, e);
        }
    }

    private Connector.Connection connection() throws InterruptedException {
        if (connection == null) {
            var _ = firstAttempt.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
        }
        var opened = connection;
        if (opened == null) {
            throw new RedisConnectionException("not connected yet");
        }
        return opened;
    }

    private static Reason reason(RedisException e) {
        return switch (e) {
            case RedisCommandTimeoutException _ -> Reason.TIMEOUT;
            case RedisCommandExecutionException _ -> Reason.ERROR;
            default ->
                String.valueOf(e.getMessage()).startsWith("Currently not connected")
                        ? Reason.NOT_CONNECTED
                        : Reason.DISCONNECTED;
        };
    }

    @Override
    public void close() {
        closed = true;
        connector.close();
    }
}
