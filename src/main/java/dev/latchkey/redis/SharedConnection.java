package dev.latchkey.redis;

import dev.latchkey.overload.Deadline;
import dev.latchkey.redis.RedisUnavailableException.Reason;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisReadOnlyException;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A connection to Redis that many threads share (one per node of a cluster), because Redis replies in order. If there
 * has been no connection for longer than the command timeout, commands fail immediately.
 */
final class SharedConnection implements AutoCloseable {
    private static final int RETRY_MILLIS = 10;
    private static final String NOT_CONNECTED = "Currently not connected"; // the message of Lettuce

    private final Connector connector;
    private final OutageLog outageLog;
    private final RedisMetrics metrics;
    private final RedisSettings settings;
    private final Consumer<RedisClusterCommands<String, String>> onConnect;
    private final boolean hasDeadline;
    private volatile @Nullable RedisClusterCommands<String, String> connection;
    private volatile long lastVainWaitNanos = System.nanoTime();
    private volatile boolean closed;

    /**
     * @param hasDeadline whether a command may come late in a request, so that its {@link Deadline} must be checked. A
     *     token check comes first, and would be 1.4 % slower, because a thread-local value makes each thread larger.
     * @param onConnect receives the first connection before any other command is sent
     */
    SharedConnection(
            RedisSettings settings,
            Connector connector,
            OutageLog outageLog,
            RedisMetrics metrics,
            boolean hasDeadline,
            Consumer<RedisClusterCommands<String, String>> onConnect) {
        this.settings = settings;
        this.connector = connector;
        this.outageLog = outageLog;
        this.metrics = metrics;
        this.hasDeadline = hasDeadline;
        this.onConnect = onConnect;
    }

    /**
     * Opens the connection for the first time, and reports whether no further attempt is needed. After a success, Lettuce
     * reconnects automatically.
     */
    boolean connect() {
        try {
            if (connection == null && !closed) {
                var opened = connector.connect();
                onConnect.accept(opened);
                connection = opened;
            }
        } catch (RuntimeException e) { // if closed meanwhile, Lettuce and netty throw other exceptions too
            if (!closed) {
                outageLog.connectFailed(e);
            }
        }
        return connection != null || closed;
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
            while (true) {
                try {
                    var opened = connection();
                    // Checked after each wait, because the command may take a timeout more.
                    if (hasDeadline && Deadline.isOver()) {
                        throw new RedisCommandTimeoutException("the request has taken too long");
                    }
                    T reply = command.apply(opened);
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

    void requireNoOutageSince(long nanos) {
        if (lastVainWaitNanos - nanos > 0) {
            throw new RedisUnavailableException(Reason.TIMEOUT, new RedisCommandTimeoutException("Redis hangs"));
        }
    }

    private RuntimeException failure(String key, Reason reason, RedisException e) {
        metrics.failed(reason);
        if (reason == Reason.TIMEOUT || reason == Reason.NOT_CONNECTED) {
            lastVainWaitNanos = System.nanoTime();
        }
        if (String.valueOf(e.getMessage()).startsWith("WRONGTYPE")) {
            outageLog.wrongType(key);
            return new WrongTypeException();
        }
        if (e instanceof RedisReadOnlyException) {
            connector.reconnect();
        }
        if (connection != null || connector.lastFailure() != null) { // or else the first attempt will soon tell why
            outageLog.commandFailed(e);
        }
        return new RedisUnavailableException(reason, e);
    }

    private RedisClusterCommands<String, String> connection() throws InterruptedException {
        if (connection == null) {
            connector.awaitFirstAttempt(settings.timeout());
        }
        var opened = connection;
        if (opened == null) {
            throw new RedisConnectionException(NOT_CONNECTED + " yet", connector.lastFailure());
        }
        return opened;
    }

    void awaitFirstAttempt() {
        try {
            connector.awaitFirstAttempt(settings.handshakeTimeout());
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static Reason reason(RedisException e) {
        return switch (e) {
            case RedisCommandTimeoutException _ -> Reason.TIMEOUT;
            case RedisCommandExecutionException _ -> Reason.ERROR;
            default ->
                String.valueOf(e.getMessage()).startsWith(NOT_CONNECTED) ? Reason.NOT_CONNECTED : Reason.DISCONNECTED;
        };
    }

    /** Ends the attempts to connect. */
    @Override
    public void close() {
        closed = true;
    }
}
