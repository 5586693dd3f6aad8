package dev.latchkey.redis;

import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.MaintNotificationsConfig;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.SslOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.event.connection.ReconnectFailedEvent;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.channel.Channel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Opens connections to a standalone Redis, Sentinel or Cluster. The URL's scheme selects TLS. */
final class Connector implements AutoCloseable {
    // Lettuce's default is 2^31: commands would pile up behind a Redis that hangs.
    private static final int MAX_PENDING_COMMANDS = 4096;
    // A master that has just been demoted may still be found under its name for a while.
    private static final Duration MIN_AGE_TO_CLOSE = Duration.ofSeconds(1);
    // The first command for a node of a cluster opens the connection to that node, and is rejected by Lettuce.
    private static final Duration NODE_CONNECT_TIME = Duration.ofMillis(100);
    // Another command may have seen a moment earlier that the connection is lost.
    private static final Duration MIN_PATIENCE = Duration.ofMillis(10);
    // The service is available within a second after Redis is.
    static final Duration MAX_RECONNECT_DELAY = Duration.ofMillis(500);
    private static final Duration TOPOLOGY_PERIOD = Duration.ofSeconds(15);
    private static final Duration MIN_ADAPTIVE_REFRESH_INTERVAL = Duration.ofMillis(500);

    // Detects that an idle connection is broken before a request uses it. ReplyTimeouts only covers connections that
    // something was written to.
    private static final SocketOptions.KeepAliveOptions KEEP_ALIVE = SocketOptions.KeepAliveOptions.builder()
            .enable()
            .idle(Duration.ofSeconds(5))
            .interval(Duration.ofSeconds(1))
            .count(3)
            .build();

    private final ClientResources resources;
    private final AbstractRedisClient client;
    private final Duration timeout;
    private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
    private final CountDownLatch firstAttempt = new CountDownLatch(1);
    private volatile @Nullable RuntimeException lastFailure;
    private volatile long lastOpenedNanos;
    private volatile long lastLostNanos;

    /** @param onReconnectFailure receives the reason whenever reconnecting fails */
    Connector(RedisSettings settings, Consumer<Throwable> onReconnectFailure) {
        timeout = settings.timeout();
        lastLostNanos = System.nanoTime() - timeout.toNanos();
        List<RedisURI> uris = settings.uris();
        boolean tls = uris.getFirst().isSsl();
        resources = resources();
        var _ = resources
                .eventBus()
                .get()
                .ofType(ReconnectFailedEvent.class)
                .subscribe(e -> onReconnectFailure.accept(e.getCause()));
        ClientOptions options = options(timeout, tls ? ClientCertificate.options() : SslOptions.create());
        if (settings.cluster() || uris.size() > 1) {
            var clusterClient = RedisClusterClient.create(resources, uris);
            clusterClient.setOptions(ClusterClientOptions.builder(options)
                    .topologyRefreshOptions(ClusterTopologyRefreshOptions.builder()
                            .enablePeriodicRefresh(TOPOLOGY_PERIOD)
                            .adaptiveRefreshTriggersTimeout(MIN_ADAPTIVE_REFRESH_INTERVAL)
                            .build())
                    .build());
            client = clusterClient;
        } else {
            var singleClient = RedisClient.create(resources, uris.getFirst());
            singleClient.setOptions(options);
            client = singleClient;
        }
    }

    private ClientResources resources() {
        return ClientResources.builder()
                .reconnectDelay(Delay.fullJitter(Duration.ofMillis(50), MAX_RECONNECT_DELAY, 50, TimeUnit.MILLISECONDS))
                .addressResolverGroup(new SystemResolver())
                .nettyCustomizer(new NettyCustomizer() {
                    @Override
                    public void afterChannelInitialized(Channel channel) {
                        // Concurrent requests share system calls: +19 % requests/s in a prototype.
                        channel.pipeline().addFirst(new FlushConsolidationHandler(256, true));
                        ReplyTimeouts.install(channel.pipeline(), timeout, Connector.this);
                    }
                })
                .build();
    }

    private static ClientOptions options(Duration timeout, SslOptions sslOptions) {
        return ClientOptions.builder()
                // Never replays a command after a reconnect. The reply to a DEL or SET NX that is executed twice is
                // wrong.
                .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(MAX_PENDING_COMMANDS)
                // ReplyTimeouts replaces them.
                .timeoutOptions(TimeoutOptions.builder().timeoutCommands(false).build())
                // A feature of Redis Enterprise that adds an object to the path of each command.
                .maintNotificationsConfig(MaintNotificationsConfig.disabled())
                .sslOptions(sslOptions)
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(timeout)
                        .keepAlive(KEEP_ALIVE)
                        .build())
                .build();
    }

    /**
     * Opens a connection, whose commands wait for their replies.
     *
     * @throws io.lettuce.core.RedisException if Redis cannot be reached
     */
    RedisClusterCommands<String, String> connect() {
        try {
            return open();
        } catch (RuntimeException e) {
            lastFailure = e;
            throw e;
        } finally {
            firstAttempt.countDown();
        }
    }

    private RedisClusterCommands<String, String> open() {
        // ReplyTimeouts ends each wait. A command timeout would also set a timer per wait.
        if (client instanceof RedisClusterClient clusterClient) {
            var connection = clusterClient.connect(new Utf8Codec());
            connection.setTimeout(Duration.ZERO);
            return connection.sync();
        }
        var connection = ((RedisClient) client).connect(new Utf8Codec());
        connection.setTimeout(Duration.ZERO);
        return connection.sync();
    }

    /** Waits until the first attempt to connect has succeeded or failed, at most for a time. */
    void awaitFirstAttempt(Duration limit) throws InterruptedException {
        var _ = firstAttempt.await(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Returns why the last attempt that failed did so, or null. */
    @Nullable
    RuntimeException lastFailure() {
        return lastFailure;
    }

    void opened(Channel channel) {
        channels.add(channel);
        lastOpenedNanos = System.nanoTime();
        channel.closeFuture().addListener(_ -> lastLostNanos = System.nanoTime());
    }

    /** Reports whether there is a connection, to any node of a cluster. */
    boolean isConnected() {
        return !channels.isEmpty();
    }

    /** Returns how long a command that cannot be sent may wait for a connection. */
    Duration patience() {
        boolean justLost = System.nanoTime() - lastLostNanos < timeout.toNanos();
        if (client instanceof RedisClusterClient) {
            return justLost ? timeout : NODE_CONNECT_TIME;
        }
        // If the other connection is open, this one soon will be.
        return justLost || isConnected() ? timeout : MIN_PATIENCE;
    }

    /** Closes all connections, unless one is new. Lettuce then finds the current master. */
    void reconnect() {
        if (System.nanoTime() - lastOpenedNanos > MIN_AGE_TO_CLOSE.toNanos()) {
            var _ = channels.close();
        }
    }

    @Override
    public void close() {
        client.shutdown(0, 1, TimeUnit.SECONDS);
        resources.shutdown(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
