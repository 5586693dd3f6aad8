package dev.latchkey.redis;

import dev.latchkey.metrics.Registry;
import dev.latchkey.overload.Deadline;
import dev.latchkey.redis.RedisUnavailableException.Reason;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisReadOnlyException;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The connection to Redis that all threads share (one per node of a cluster), because Redis replies in order. A
 * second connection would cost a token check 13 % more CPU, because more threads are woken. If there has
 * been no connection for longer than the command timeout, commands fail immediately.
 */
final class SharedConnection implements AutoCloseable {
    private static final int RETRY_MILLIS = 10;

    private final Connector connector;
    private final OutageLog outageLog;
    private final RedisMetrics metrics = new RedisMetrics();
    private final RedisSettings settings;
    private final CountDownLatch firstAttempt = new CountDownLatch(1);
    private volatile @Nullable RedisClusterCommands<String, String> connection;
    private volatile @Nullable RuntimeException connectFailure;
    private volatile boolean closed;

    SharedConnection(RedisSettings settings) {
        this.settings = settings;
        // The quiet period is longer than a failing attempt to connect plus the delay before it. If one node of a
        // cluster is down for long, commands for the other nodes succeed in between.
        outageLog = new OutageLog(settings.timeout().plus(Connector.MAX_RECONNECT_DELAY.multipliedBy(2)));
        connector = new Connector(settings, outageLog::connectFailed);
        // Connecting takes half of the start-up time, so it runs in parallel with the rest.
        Thread.ofPlatform().daemon().name("redis-connect").start(this::connect);
    }

    void register(Registry registry) {
        metrics.register(registry, connector::isConnected);
    }

    // Lettuce only reconnects automatically after the first successful connection.
    private void connect() {
        while (!closed && connection == null) {
            try {
                var opened = connector.connect();
                PersistenceCheck.run(opened);
                connection = opened;
            } catch (RuntimeException e) { // if closed meanwhile, Lettuce and netty throw other exceptions too
                connectFailure = e;
                if (!closed) {
                    outageLog.connectFailed(e);
                }
            }
            firstAttempt.countDown();
            LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(Connector.MAX_RECONNECT_DELAY.toNanos()));
        }
    }

    /**
     * Sends a command and returns its reply. If the connection has just been lost, a command that was not sent waits
     * for the next connection, at most for the command timeout.
     *
     * @param key that the command uses; empty if it uses none or several
     * @throws RedisUnavailableException if there is no reply, or if it is an error
     * @throws WrongTypeException if the key holds a value of another type
     */
    <T extends @Nullable Object> T send(String key, Function<RedisClusterCommands<String, String>, T> command) {
        long start = System.nanoTime();
        try {
            if (Deadline.isOver()) {
                throw failure(key, Reason.TIMEOUT, new RedisCommandTimeoutException("the request has taken too long"));
            }
            while (true) {
                try {
                    T reply = command.apply(connection());
                    outageLog.commandSucceeded();
                    return reply;
                } catch (RedisException e) {
                    Reason reason = reason(e);
                    boolean isPatient =
                            System.nanoTime() - start < connector.patience().toNanos();
                    if (reason != Reason.NOT_CONNECTED || !isPatient) {
                        throw failure(key, reason, e);
                    }
                }
                Thread.sleep(RETRY_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RedisUnavailableException(Reason.DISCONNECTED, e);
        } finally {
            metrics.commands().recordSince(start);
        }
    }

    private RuntimeException failure(String key, Reason reason, RedisException e) {
        metrics.failed(reason);
        if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
            outageLog.wrongType(key);
            return new WrongTypeException();
        }
        if (e instanceof RedisReadOnlyException) {
            connector.reconnect();
        }
        outageLog.commandFailed(e);
        return new RedisUnavailableException(reason, e);
    }

    private RedisClusterCommands<String, String> connection() throws InterruptedException {
        if (connection == null) {
            var _ = firstAttempt.await(settings.timeout().toNanos(), TimeUnit.NANOSECONDS);
        }
        var opened = connection;
        if (opened == null) {
            throw new RedisConnectionException("not connected yet", connectFailure);
        }
        return opened;
    }

    void awaitFirstAttempt() {
        try {
            var _ = firstAttempt.await(settings.handshakeTimeout().toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
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
