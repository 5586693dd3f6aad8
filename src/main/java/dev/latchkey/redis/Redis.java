package dev.latchkey.redis;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.channel.Channel;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import reactor.util.Loggers;

/** One connection for all requests: Redis answers in order, so commands of many threads share it without waiting. */
public final class Redis implements AutoCloseable {
    // commands that wait for an answer: with Lettuce's own 2^31 they would pile up behind a Redis that hangs
    private static final int QUEUE = 4096;

    static {
        // all that logs below goes where the rest goes; SLF4J, which a corner of Lettuce asks for, has no provider and
        // says so
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE);
        Loggers.useJdkLoggers();
    }

    private final ClientResources resources;
    private final RedisClient client;
    private final RedisClusterCommands<String, String> commands;

    private Redis(ClientResources resources, RedisClient client) {
        this.resources = resources;
        this.client = client;
        this.commands = client.connect().sync();
    }

    /**
     * @param url {@code redis://} or {@code rediss://}, checked before by {@link #checkUrl}
     * @param timeout of one command, and of connecting
     * @throws io.lettuce.core.RedisException where Redis does not answer
     */
    public static Redis connect(String url, Duration timeout) {
        RedisURI uri = RedisURI.create(url);
        uri.setTimeout(timeout);
        ClientResources resources = ClientResources.builder()
                .reconnectDelay(
                        Delay.fullJitter(Duration.ofMillis(50), Duration.ofSeconds(1), 50, TimeUnit.MILLISECONDS))
                .nettyCustomizer(new NettyCustomizer() {
                    @Override
                    public void afterChannelInitialized(Channel channel) {
                        // concurrent requests share a system call: +19 % requests/s in a prototype
                        channel.pipeline().addFirst(new FlushConsolidationHandler(256, true));
                    }
                })
                .build();
        RedisClient client = RedisClient.create(resources, uri);
        client.setOptions(ClientOptions.builder()
                // never replay a command after a reconnect: a DEL or SET NX that was executed twice would lie
                .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(QUEUE)
                .timeoutOptions(TimeoutOptions.enabled(timeout))
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(timeout)
                        .keepAlive(true)
                        .build())
                .build());
        try {
            return new Redis(resources, client);
        } catch (RuntimeException e) {
            shutdown(client, resources);
            throw e;
        }
    }

    /** @throws IllegalArgumentException where it is not a URL that {@link #connect} takes; the message has none of it */
    public static void checkUrl(String url) {
        if (!url.startsWith("redis://") && !url.startsWith("rediss://")) {
            throw new IllegalArgumentException("must begin with redis:// or rediss://");
        }
        try {
            RedisURI.create(url);
        } catch (RuntimeException _) {
            throw new IllegalArgumentException("is not a URL: redis://[user:password@]host[:port][/database],"
                    + " with special characters of user and password percent-encoded");
        }
    }

    public RedisClusterCommands<String, String> commands() {
        return commands;
    }

    @Override
    public void close() {
        shutdown(client, resources);
    }

    private static void shutdown(RedisClient client, ClientResources resources) {
        client.shutdown(0, 1, TimeUnit.SECONDS);
        resources.shutdown(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
