package dev.latchkey.testing;

import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A connection on which a test can send any command to Redis, to inspect or change stored data. It connects when it is
 * first used.
 */
public final class RedisAdmin implements AutoCloseable {
    private final AbstractRedisClient client;
    private final Supplier<RedisClusterCommands<String, String>> connection;
    private @Nullable RedisClusterCommands<String, String> commands;

    public RedisAdmin(String url, boolean cluster) {
        if (cluster || url.contains(",redis://")) {
            var nodes = RedisClusterClient.create(
                    Stream.of(url.split(",")).map(RedisURI::create).toList());
            client = nodes;
            connection = () -> nodes.connect().sync();
        } else {
            var single = RedisClient.create(url);
            client = single;
            connection = () -> single.connect().sync();
        }
    }

    public synchronized RedisClusterCommands<String, String> commands() {
        if (commands == null) {
            commands = connection.get();
        }
        return commands;
    }

    @Override
    public void close() {
        client.shutdown(0, 1, TimeUnit.SECONDS);
    }
}
