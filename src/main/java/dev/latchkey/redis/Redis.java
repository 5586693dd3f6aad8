package dev.latchkey.redis;

import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisCommandInterruptedException;
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
 * The commands that the service sends, each of one key. All go over one connection (in a cluster one a node): Redis answers
 * in order, so many threads share it without waiting; two would cost a token check 13 % more CPU, for more threads are woken.
 * Where it is lost, commands fail at once, until there is a new one.
 *
 * <p>Each throws a {@link RedisException} where Redis does not answer in time, or refuses; it may have been executed
 * nevertheless. Null is what is not there.
 */
public final class Redis implements AutoCloseable {
    private static final int RETRIES = 10;
    private static final int RETRY_MILLIS = 10;
    private static final int MAX_AT_ONCE = 50;
    // of each try to reconnect Lettuce would log a line; Outage says what there is to say
    private static final Logger LETTUCE = Logger.getLogger("io.lettuce");

    static {
        // all that logs below goes where the rest goes; SLF4J, which a corner of Lettuce asks for, has no provider and
        // says so
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE);
        Loggers.useJdkLoggers();
        LETTUCE.setLevel(Level.SEVERE);
        // a tool for who writes netty handlers that hold buffers: its stack traces are 1 % of the CPU of a token check
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    }

    /** A key holds another type than it must have, so that no retry can help. */
    public static final class WrongTypeException extends RuntimeException {
        private static final long serialVersionUID = 1;

        WrongTypeException() {
            super("a key has the wrong type");
        }
    }

    private final Connector connector;
    private final Outage outage;
    private final Duration timeout;
    private final CountDownLatch tried = new CountDownLatch(1);
    private volatile Connector.@Nullable Commands connection;
    private volatile boolean closed;

    private Redis(String url, boolean cluster, Duration timeout) {
        // longer than a failing try to connect and the pause before it: of a cluster one node may be gone
        // for long, and the others answer
        outage = new Outage(timeout.plus(Connector.RECONNECT.multipliedBy(2)));
        this.timeout = timeout;
        connector = new Connector(url, cluster, timeout, outage::unreachable);
        // on a core of its own: it takes half of the time to start
        Thread.ofPlatform().daemon().name("redis-connect").start(this::connect);
    }

    /**
     * Begins to connect. The first commands wait for what comes of it, at most {@code timeout}; where it fails, it goes on
     * trying, and every command fails meanwhile.
     *
     * @param url checked before by {@link #checkUrl}
     * @param cluster whether {@code url} is a node of a cluster; several URLs are in any case
     * @param timeout of one command, and of connecting
     */
    public static Redis connect(String url, boolean cluster, Duration timeout) {
        return new Redis(url, cluster, timeout);
    }

    /** @throws IllegalArgumentException where it is not a URL that {@link #connect} takes; the message has none of it */
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

    /** False where there is one already, which stays as it is. */
    public boolean setNew(String key, String value, Duration ttl) {
        return call(redis -> redis.set(key, value, SetArgs.Builder.nx().ex(ttl))) != null;
    }

    /** Milliseconds until the key expires; negative if it does not, or does not exist. */
    public long pttl(String key) {
        return call(redis -> redis.pttl(key));
    }

    /** False where there was none. */
    public boolean del(String key) {
        return call(redis -> redis.del(key)) == 1;
    }

    /**
     * Those that there are. A command each, but all on their way at once: one after the other, they would double the time of a
     * list of 50 sessions next to Redis, and wait for 50 round trips elsewhere. No more than 50 at once: all requests share a
     * queue of commands.
     */
    public Set<String> existing(List<String> keys) {
        Set<String> existing = new HashSet<>();
        for (int start = 0; start < keys.size(); start += MAX_AT_ONCE) {
            List<String> some = keys.subList(start, Math.min(keys.size(), start + MAX_AT_ONCE));
            existing.addAll(send(redis -> {
                Map<String, RedisFuture<Long>> answers = new HashMap<>();
                some.forEach(key -> answers.put(key, redis.async().exists(key)));
                // without a limit of its own: CommandTimeouts ends each
                answers.values().removeIf(answer -> LettuceFutures.awaitOrCancel(answer, 0, TimeUnit.NANOSECONDS) == 0);
                return answers.keySet();
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

    /** @param each is given the fields one by one, on the thread that reads from Redis */
    public void hkeys(String key, Consumer<String> each) {
        call(redis -> redis.hkeys(each::accept, key));
    }

    /** The values of those fields that there are, in their order. */
    public List<String> hmget(String key, Collection<String> fields) {
        if (fields.isEmpty()) {
            return List.of();
        }
        return call(redis -> redis.hmget(key, fields.toArray(String[]::new))).stream()
                .filter(KeyValue::hasValue)
                .map(KeyValue::getValue)
                .toList();
    }

    /** False if there was none of those fields. */
    public boolean hdel(String key, Collection<String> fields) {
        return !fields.isEmpty() && call(redis -> redis.hdel(key, fields.toArray(String[]::new))) > 0;
    }

    /** Whether the script returns 1. */
    public boolean eval(String script, String key, String... arguments) {
        return call(redis -> redis.<Boolean>eval(script, ScriptOutputType.BOOLEAN, new String[] {key}, arguments));
    }

    /** The integer that the script returns. */
    public long evalInteger(String script, String key, String... arguments) {
        return call(redis -> redis.<Long>eval(script, ScriptOutputType.INTEGER, new String[] {key}, arguments));
    }

    /** @param <T> Long or String, as the script returns integers or texts */
    public <T> List<T> evalList(String script, String key, String... arguments) {
        return call(redis -> redis.<List<T>>eval(script, ScriptOutputType.MULTI, new String[] {key}, arguments));
    }

    /**
     * Runs a clean-up, whose failure must not withhold what has succeeded. If the connection has just been lost, it waits for
     * the next one, at most {@code timeout}.
     */
    public void cleanUp(Runnable task) {
        long deadline = System.nanoTime() + timeout.toNanos();
        try {
            while (true) {
                try {
                    task.run();
                    return;
                } catch (RedisException e) {
                    if (!isRejected(e) || System.nanoTime() - deadline > 0) {
                        return;
                    }
                }
                Thread.sleep(RETRY_MILLIS);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /** Runs a clean-up after a failure, which the response need not wait for. */
    public void cleanUpLater(Runnable task) {
        Thread.startVirtualThread(() -> cleanUp(task));
    }

    private boolean connected() {
        try {
            var opened = connector.connect();
            Durability.check(opened.sync());
            connection = opened;
            return true;
        } catch (RuntimeException e) { // not a RedisException alone: closed in the midst of it, it throws others
            if (!closed) {
                outage.unreachable(e);
            }
            return false;
        }
    }

    // Lettuce reconnects by itself, but not before it has been connected once
    private void connect() {
        try {
            while (!closed && !connected()) {
                tried.countDown();
                Thread.sleep(ThreadLocalRandom.current().nextLong(Connector.RECONNECT.toMillis()));
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } finally {
            tried.countDown();
        }
    }

    private <T extends @Nullable Object> T call(Function<RedisClusterCommands<String, String>, T> command) {
        return send(redis -> command.apply(redis.sync()));
    }

    private <T extends @Nullable Object> T send(Function<Connector.Commands, T> command) {
        try {
            for (int i = 0; ; i++) {
                try {
                    T answer = command.apply(connection());
                    outage.succeeded();
                    return answer;
                } catch (RedisException e) {
                    if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
                        throw new WrongTypeException();
                    }
                    // a cluster's connection to a node is opened by the first command for it, which it rejects: never
                    // sent, it may be repeated
                    if (!connector.isCluster() || i == RETRIES || !isRejected(e)) {
                        outage.failed(e);
                        throw e;
                    }
                }
                Thread.sleep(RETRY_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RedisCommandInterruptedException(e);
        }
    }

    private Connector.Commands connection() throws InterruptedException {
        if (connection == null) {
            var _ = tried.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
        }
        var opened = connection;
        if (opened == null) {
            throw new RedisConnectionException("not connected yet");
        }
        return opened;
    }

    private static boolean isRejected(Throwable e) {
        return String.valueOf(e.getMessage()).startsWith("Currently not connected");
    }

    @Override
    public void close() {
        closed = true;
        connector.close();
    }
}
