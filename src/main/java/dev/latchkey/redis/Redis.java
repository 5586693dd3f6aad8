package dev.latchkey.redis;

import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import reactor.util.Loggers;

/**
 * One connection for all requests (in a cluster one a node): Redis answers in order, so commands of many threads share it
 * without waiting. Where it is lost, commands fail at once, until there is a new one.
 */
public final class Redis implements AutoCloseable {
    private static final int RETRIES = 10;
    private static final int RETRY_MILLIS = 10;
    // of each try to reconnect Lettuce would log a line; Outage says what there is to say
    private static final Logger LETTUCE = Logger.getLogger("io.lettuce");

    static {
        // all that logs below goes where the rest goes; SLF4J, which a corner of Lettuce asks for, has no provider and
        // says so
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE);
        Loggers.useJdkLoggers();
        LETTUCE.setLevel(Level.SEVERE);
    }

    private final Connector connector;
    private final Outage outage;
    private final RedisClusterCommands<String, String> commands;
    private final CountDownLatch tried = new CountDownLatch(1);
    private volatile @Nullable RedisClusterCommands<String, String> connection;
    private volatile boolean closed;

    private Redis(String url, boolean cluster, Duration timeout) {
        // longer than a failing try to connect and the pause before it: of a cluster one node may be gone
        // for long, and the others answer
        outage = new Outage(timeout.plus(Connector.RECONNECT.multipliedBy(2)));
        connector = new Connector(url, cluster, timeout, outage::unreachable);
        commands = proxy();
        // on a core of its own: it takes half of the time to start
        Thread.ofPlatform().daemon().name("redis-connect").start(this::connect);
    }

    /**
     * Begins to connect. The first commands wait for what comes of it; where it fails, it goes on trying, and every
     * command fails meanwhile.
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

    /** Throw a {@link RedisException} where Redis does not answer in time, or refuses. */
    public RedisClusterCommands<String, String> commands() {
        return commands;
    }

    private boolean connected() {
        try {
            var opened = connector.connect();
            Durability.check(opened);
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

    @SuppressWarnings("unchecked")
    private RedisClusterCommands<String, String> proxy() {
        return (RedisClusterCommands<String, String>) Proxy.newProxyInstance(
                Redis.class.getClassLoader(),
                new Class<?>[] {RedisClusterCommands.class},
                (_, method, arguments) -> invoke(method, arguments));
    }

    private @Nullable Object invoke(Method method, Object @Nullable [] arguments) throws Throwable {
        for (int i = 0; ; i++) {
            var target = connection;
            if (target == null) {
                tried.await();
                target = connection;
            }
            if (target == null) {
                var absent = new RedisConnectionException("not connected yet");
                outage.failed(absent);
                throw absent;
            }
            try {
                Object result = method.invoke(target, arguments);
                outage.succeeded();
                return result;
            } catch (InvocationTargetException e) {
                Throwable cause = Objects.requireNonNullElse(e.getCause(), e);
                // a cluster's connection to a node is opened by the first command for it, which it rejects: never sent,
                // it may be repeated
                if (!connector.isCluster() || i == RETRIES || !isRejected(cause)) {
                    outage.failed(cause);
                    throw cause;
                }
                Thread.sleep(RETRY_MILLIS);
            }
        }
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
