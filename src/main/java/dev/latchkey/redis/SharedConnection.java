package dev.latchkey.redis;

import dev.latchkey.redis.RedisUnavailableException.Reason;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The connection to Redis that all threads share (one per node of a cluster), because Redis replies in order. A
 * second connection would cost a token check 13 % more CPU, because more threads are woken. While there is no
 * connection, commands fail immediately.
 */
final class SharedConnection implements AutoCloseable {
    private static final int MAX_RETRIES = 10;
    static final int RETRY_MILLIS = 10;

    private final Connector connector;
    private final OutageLog outageLog;
    private final Duration timeout;
    private final CountDownLatch firstAttempt = new CountDownLatch(1);
    private volatile Connector.@Nullable Connection connection;
    private volatile boolean closed;

    SharedConnection(String url, boolean cluster, Duration timeout) {
        // The quiet period is longer than a failing attempt to connect plus the delay before it. If one node of a
        // cluster is down for long, commands for the other nodes succeed in between.
        outageLog = new OutageLog(timeout.plus(Connector.MAX_RECONNECT_DELAY.multipliedBy(2)));
        this.timeout = timeout;
        connector = new Connector(url, cluster, timeout, outageLog::connectFailed);
        // Connecting takes half of the start-up time, so it runs in parallel with the rest.
        Thread.ofPlatform().daemon().name("redis-connect").start(this::connect);
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

    // Lettuce only reconnects automatically after the first successful connection.
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

    /**
     * Sends a command and returns its reply.
     *
     * @throws RedisUnavailableException if there is no reply, or if it is an error
     * @throws Redis.WrongTypeException if the key holds a value of another type
     */
    <T extends @Nullable Object> T send(Function<Connector.Connection, T> command) {
        try {
            for (int i = 0; ; i++) {
                try {
                    T reply = command.apply(connection());
                    outageLog.commandSucceeded();
                    return reply;
                } catch (RedisException e) {
                    if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
                        throw new Redis.WrongTypeException();
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
