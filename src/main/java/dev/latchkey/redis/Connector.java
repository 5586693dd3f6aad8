package dev.latchkey.redis;

import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.MaintNotificationsConfig;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.event.connection.ReconnectFailedEvent;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.channel.Channel;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.resolver.dns.DnsAddressResolverGroup;
import io.netty.resolver.dns.DnsNameResolverBuilder;
import io.netty.resolver.dns.NoopDnsCache;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** What differs between one Redis, Sentinel and Cluster: how connections are made. TLS is in the URL's scheme. */
final class Connector implements AutoCloseable {
    // commands that wait for an answer: with Lettuce's own 2^31 they would pile up behind a Redis that hangs
    private static final int QUEUE = 4096;
    private static final Duration STALL = Duration.ofSeconds(2);
    static final Duration RECONNECT =
            Duration.ofMillis(500); // at most: within a second of Redis being back, all is well
    private static final Duration TOPOLOGY_PERIOD = Duration.ofSeconds(15);
    private static final Duration TOPOLOGY_PAUSE = Duration.ofMillis(500); // of refreshes because of what went wrong

    // finds an idle connection dead before a request has to: the StallGuard looks only at those that were written to
    private static final SocketOptions.KeepAliveOptions KEEP_ALIVE = SocketOptions.KeepAliveOptions.builder()
            .enable()
            .idle(Duration.ofSeconds(5))
            .interval(Duration.ofSeconds(1))
            .count(3)
            .build();

    // Lettuce's own makes a buffer object of each answer before it reads it: 5 % of the CPU of a token check
    private static final RedisCodec<String, String> CODEC = new StringCodec(StandardCharsets.UTF_8) {
        @Override
        public String decodeKey(ByteBuffer bytes) {
            return decodeValue(bytes);
        }

        @Override
        public String decodeValue(ByteBuffer bytes) {
            byte[] text = new byte[bytes.remaining()];
            bytes.get(text);
            return new String(text, StandardCharsets.UTF_8);
        }
    };

    private final ClientResources resources;
    private final AbstractRedisClient client;
    private final Supplier<Commands> connection;
    private final boolean cluster;

    /** Two ways to send over the same connection: one waits for the answer. */
    record Commands(RedisClusterCommands<String, String> sync, RedisClusterAsyncCommands<String, String> async) {}

    /** @param unreachable is told why, each time that a reconnect fails */
    Connector(String url, boolean cluster, Duration timeout, Consumer<Throwable> unreachable) {
        List<RedisURI> uris = parse(url);
        uris.forEach(uri -> uri.setTimeout(timeout));
        this.cluster = cluster || uris.size() > 1;
        resources = resources(timeout);
        var _ = resources
                .eventBus()
                .get()
                .ofType(ReconnectFailedEvent.class)
                .subscribe(e -> unreachable.accept(e.getCause()));
        ClientOptions options = options(timeout);
        if (this.cluster) {
            var clusterClient = RedisClusterClient.create(resources, uris);
            clusterClient.setOptions(ClusterClientOptions.builder(options)
                    .topologyRefreshOptions(ClusterTopologyRefreshOptions.builder()
                            .enablePeriodicRefresh(TOPOLOGY_PERIOD)
                            .adaptiveRefreshTriggersTimeout(TOPOLOGY_PAUSE)
                            .build())
                    .build());
            client = clusterClient;
            connection = () -> {
                var opened = untimed(clusterClient.connect(CODEC));
                return new Commands(opened.sync(), opened.async());
            };
        } else {
            var single = RedisClient.create(resources, uris.getFirst());
            single.setOptions(options);
            client = single;
            connection = () -> {
                var opened = untimed(single.connect(CODEC));
                return new Commands(opened.sync(), opened.async());
            };
        }
    }

    /**
     * One {@code redis[s]://} or {@code redis[s]-sentinel://} URL, or several of the former, separated by commas.
     *
     * @throws IllegalArgumentException where it is none; the message has nothing of it, for it may have a password
     */
    static List<RedisURI> parse(String url) {
        if (!url.matches("(?s)rediss?(-sentinel)?://.*")) {
            throw new IllegalArgumentException("must begin with redis://, rediss:// or redis-sentinel://");
        }
        // the commas of redis-sentinel:// are between its sentinels
        List<String> urls = url.contains("-sentinel://") ? List.of(url) : Arrays.asList(url.split(",", -1));
        try {
            return urls.stream().map(String::strip).map(RedisURI::create).toList();
        } catch (RuntimeException _) {
            throw new IllegalArgumentException(
                    "is not a URL: redis://[user:password@]host[:port][/database], several of"
                            + " them separated by commas, or redis-sentinel://[user:password@]host[:port][,host[:port]]#master;"
                            + " with special characters of user and password percent-encoded");
        }
    }

    private static ClientResources resources(Duration timeout) {
        Duration stall = timeout.compareTo(STALL) > 0 ? timeout : STALL;
        return ClientResources.builder()
                .reconnectDelay(Delay.fullJitter(Duration.ofMillis(50), RECONNECT, 50, TimeUnit.MILLISECONDS))
                // asks at each connect: Docker's DNS lets an answer be kept for 10 minutes, so long a Redis that has
                // moved would be missed
                .addressResolverGroup(new DnsAddressResolverGroup(new DnsNameResolverBuilder()
                        .datagramChannelType(NioDatagramChannel.class)
                        .socketChannelType(NioSocketChannel.class)
                        .resolveCache(NoopDnsCache.INSTANCE)))
                .nettyCustomizer(new NettyCustomizer() {
                    @Override
                    public void afterChannelInitialized(Channel channel) {
                        // concurrent requests share a system call: +19 % requests/s in a prototype
                        channel.pipeline()
                                .addFirst(new StallGuard(stall))
                                .addFirst(new FlushConsolidationHandler(256, true))
                                .addLast(new CommandTimeouts(timeout));
                    }
                })
                .build();
    }

    private static ClientOptions options(Duration timeout) {
        return ClientOptions.builder()
                // never replay a command after a reconnect: a DEL or SET NX that was executed twice would lie
                .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(QUEUE)
                // CommandTimeouts does it
                .timeoutOptions(TimeoutOptions.builder().timeoutCommands(false).build())
                // an addition of Redis Enterprise: each command would pass through one object more
                .maintNotificationsConfig(MaintNotificationsConfig.disabled())
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(timeout)
                        .keepAlive(KEEP_ALIVE)
                        .build())
                .build();
    }

    // CommandTimeouts ends each wait: with a time of its own each would set a timer
    private static <C extends StatefulConnection<String, String>> C untimed(C connection) {
        connection.setTimeout(Duration.ZERO);
        return connection;
    }

    /** @throws io.lettuce.core.RedisException where Redis cannot be reached */
    Commands connect() {
        return connection.get();
    }

    boolean isCluster() {
        return cluster;
    }

    @Override
    public void close() {
        client.shutdown(0, 1, TimeUnit.SECONDS);
        resources.shutdown(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
