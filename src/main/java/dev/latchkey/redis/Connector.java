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
import io.netty.util.ResourceLeakDetector;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.net.ssl.KeyManagerFactory;
import reactor.util.Loggers;

/** Opens connections to a standalone Redis, Sentinel or Cluster. The URL's scheme selects TLS. */
final class Connector implements AutoCloseable {
    // Lettuce would log one line per attempt to reconnect. OutageLog logs what an operator needs to know.
    private static final Logger LETTUCE_LOGGER = Logger.getLogger("io.lettuce");

    static { // first, because the other constants use Lettuce
        // SLF4J, which a part of Lettuce uses, would print that it has no provider.
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE);
        Loggers.useJdkLoggers();
        LETTUCE_LOGGER.setLevel(Level.SEVERE);
        // A tool for authors of netty handlers, whose stack traces cost 1 % of the CPU of a token check.
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    }

    // Lettuce's default is 2^31: commands would pile up behind a Redis that hangs.
    private static final int MAX_PENDING_COMMANDS = 4096;
    private static final Duration MIN_STALL_TIMEOUT = Duration.ofSeconds(2);
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

    // Lettuce's own codec wraps each reply in a buffer object before decoding it: 5 % of the CPU of a token check.
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

    /** Two APIs for the same connection: the first one waits for each reply. */
    record Connection(RedisClusterCommands<String, String> sync, RedisClusterAsyncCommands<String, String> async) {}

    /** @param onReconnectFailure receives the reason whenever reconnecting fails */
    Connector(String url, boolean cluster, Duration timeout, Consumer<Throwable> onReconnectFailure) {
        List<RedisURI> uris = parse(url);
        uris.forEach(uri -> uri.setTimeout(timeout));
        resources = resources(timeout);
        var _ = resources
                .eventBus()
                .get()
                .ofType(ReconnectFailedEvent.class)
                .subscribe(e -> onReconnectFailure.accept(e.getCause()));
        ClientOptions options = options(timeout, uris);
        if (cluster || uris.size() > 1) {
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

    /**
     * Parses a {@code redis[s]://} or {@code redis[s]-sentinel://} URL, or several {@code redis[s]://} URLs separated
     * by commas.
     *
     * @throws IllegalArgumentException if it is not such a URL, or if it needs TLS and the key store cannot be read. The
     *     message does not quote the URL, which may contain a password.
     */
    static List<RedisURI> parse(String url) {
        if (!url.matches("(?s)rediss?(-sentinel)?://.*")) {
            throw new IllegalArgumentException("must start with redis://, rediss:// or redis-sentinel://");
        }
        // In a redis-sentinel:// URL, commas separate the sentinels.
        List<String> urls = url.contains("-sentinel://") ? List.of(url) : Arrays.asList(url.split(",", -1));
        List<RedisURI> uris;
        try {
            uris = urls.stream().map(String::strip).map(RedisURI::create).toList();
        } catch (RuntimeException _) {
            throw new IllegalArgumentException(
                    "must be redis://[user:password@]host[:port][/database], several such URLs separated by"
                            + " commas, or redis-sentinel://[user:password@]host[:port][,host[:port]]#master;"
                            + " special characters in user and password must be percent-encoded");
        }
        var _ = sslOptions(uris); // so that an unreadable key store is reported before the start
        return uris;
    }

    /** Returns options with the client certificate in the key store that the JDK's standard properties name. */
    private static SslOptions sslOptions(List<RedisURI> uris) {
        var options = SslOptions.builder();
        String file = System.getProperty("javax.net.ssl.keyStore", "");
        if (!file.isEmpty() && uris.stream().anyMatch(RedisURI::isSsl)) {
            char[] password =
                    System.getProperty("javax.net.ssl.keyStorePassword", "").toCharArray();
            try {
                // Lettuce would read the file at each connect. If that failed, netty would log a stack trace each time.
                var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
                keys.init(KeyStore.getInstance(new File(file), password), password);
                options.keyManager(keys);
            } catch (GeneralSecurityException | IOException | IllegalArgumentException e) {
                String error = "uses TLS, but javax.net.ssl.keyStore is not readable: ";
                throw new IllegalArgumentException(error + e.getMessage());
            }
        }
        return options.build();
    }

    private static ClientResources resources(Duration timeout) {
        Duration stallTimeout = timeout.compareTo(MIN_STALL_TIMEOUT) > 0 ? timeout : MIN_STALL_TIMEOUT;
        return ClientResources.builder()
                .reconnectDelay(Delay.fullJitter(Duration.ofMillis(50), MAX_RECONNECT_DELAY, 50, TimeUnit.MILLISECONDS))
                // Resolves the host name at each connect. Docker's DNS allows caching for 10 minutes, during which a
                // Redis with a new address would not be found.
                .addressResolverGroup(new DnsAddressResolverGroup(new DnsNameResolverBuilder()
                        .datagramChannelType(NioDatagramChannel.class)
                        .socketChannelType(NioSocketChannel.class)
                        .resolveCache(NoopDnsCache.INSTANCE)))
                .nettyCustomizer(new NettyCustomizer() {
                    @Override
                    public void afterChannelInitialized(Channel channel) {
                        // Concurrent requests share system calls: +19 % requests/s in a prototype.
                        channel.pipeline().addFirst(new FlushConsolidationHandler(256, true));
                        ReplyTimeouts.install(channel.pipeline(), timeout, stallTimeout);
                    }
                })
                .build();
    }

    private static ClientOptions options(Duration timeout, List<RedisURI> uris) {
        return ClientOptions.builder()
                // Never replays a command after a reconnect. The reply to a DEL or SET NX that is executed twice is
                // wrong.
                .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(MAX_PENDING_COMMANDS)
                // ReplyTimeouts replaces them.
                .timeoutOptions(TimeoutOptions.builder().timeoutCommands(false).build())
                // A feature of Redis Enterprise that adds an object to the path of each command.
                .maintNotificationsConfig(MaintNotificationsConfig.disabled())
                .sslOptions(sslOptions(uris))
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(timeout)
                        .keepAlive(KEEP_ALIVE)
                        .build())
                .build();
    }

    /** @throws io.lettuce.core.RedisException if Redis cannot be reached */
    Connection connect() {
        // ReplyTimeouts ends each wait. A command timeout would also set a timer per wait.
        if (client instanceof RedisClusterClient clusterClient) {
            var connection = clusterClient.connect(CODEC);
            connection.setTimeout(Duration.ZERO);
            return new Connection(connection.sync(), connection.async());
        }
        var connection = ((RedisClient) client).connect(CODEC);
        connection.setTimeout(Duration.ZERO);
        return new Connection(connection.sync(), connection.async());
    }

    boolean isCluster() {
        return client instanceof RedisClusterClient;
    }

    @Override
    public void close() {
        client.shutdown(0, 1, TimeUnit.SECONDS);
        resources.shutdown(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
