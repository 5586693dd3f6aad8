package dev.latchkey.testing;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** A Redis master, its replica, and three sentinels that monitor them. Used by tests and {@link Chaos}. */
public final class RedisSentinels implements AutoCloseable {
    private final EmbeddedRedis master;
    private final EmbeddedRedis replica;
    private final List<EmbeddedRedis> sentinels = new ArrayList<>();

    private RedisSentinels() throws IOException {
        master = EmbeddedRedis.start();
        replica = EmbeddedRedis.start(Map.of("replicaof", "127.0.0.1 " + master.port()));
    }

    public static RedisSentinels start() throws Exception {
        var started = new RedisSentinels();
        for (int i = 0; i < 3; i++) {
            started.sentinels.add(EmbeddedRedis.startSentinel(Map.of(
                    "sentinel monitor main 127.0.0.1 " + started.master.port(),
                    "2",
                    "sentinel down-after-milliseconds main",
                    "1000",
                    "sentinel failover-timeout main",
                    "5000")));
        }
        for (EmbeddedRedis sentinel : started.sentinels) {
            await(sentinel, seen -> "1".equals(seen.get("num-slaves")) && "2".equals(seen.get("num-other-sentinels")));
        }
        return started;
    }

    private static void await(EmbeddedRedis sentinel, Predicate<Map<String, String>> expected)
            throws InterruptedException {
        var deadline = Instant.now().plusSeconds(30);
        try (var client = RedisClient.create(RedisURI.create(sentinel.url()));
                var connection = client.connectSentinel()) {
            while (!expected.test(connection.sync().master("main"))) {
                if (Instant.now().isAfter(deadline)) {
                    throw new IllegalStateException("the sentinel did not report the expected state within 30 s");
                }
                Thread.sleep(20);
            }
        }
    }

    public String url() {
        return "redis-sentinel://"
                + sentinels.stream()
                        .map(sentinel -> "127.0.0.1:" + sentinel.port())
                        .collect(Collectors.joining(","))
                + "#main";
    }

    /** Returns the master and its replica. */
    public List<EmbeddedRedis> nodes() {
        return List.of(master, replica);
    }

    /** Kills the master, and waits until all sentinels report the replica as the new master. */
    public void failOver() throws InterruptedException {
        master.kill();
        for (EmbeddedRedis sentinel : sentinels) {
            await(sentinel, seen -> Integer.toString(replica.port()).equals(seen.get("port")));
        }
    }

    @Override
    public void close() throws IOException {
        for (EmbeddedRedis sentinel : sentinels) {
            sentinel.close();
        }
        replica.close();
        master.close();
    }
}
