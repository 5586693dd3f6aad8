package dev.latchkey;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** A master, its replica, and three sentinels that watch them. */
final class RedisSentinels implements AutoCloseable {
    private final EmbeddedRedis master;
    private final EmbeddedRedis replica;
    private final List<EmbeddedRedis> sentinels = new ArrayList<>();

    private RedisSentinels() throws IOException {
        master = EmbeddedRedis.start();
        replica = EmbeddedRedis.start(Map.of("replicaof", "127.0.0.1 " + master.port()));
    }

    static RedisSentinels start() throws Exception {
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
            started.awaitQuorum(sentinel);
        }
        return started;
    }

    private void awaitQuorum(EmbeddedRedis sentinel) throws InterruptedException {
        var deadline = Instant.now().plusSeconds(30);
        try (var client = RedisClient.create(RedisURI.create(sentinel.url()));
                var connection = client.connectSentinel()) {
            Map<String, String> seen;
            do {
                if (Instant.now().isAfter(deadline)) {
                    throw new IllegalStateException("the sentinels do not find each other");
                }
                Thread.sleep(20);
                seen = connection.sync().master("main");
            } while (!"1".equals(seen.get("num-slaves")) || !"2".equals(seen.get("num-other-sentinels")));
        }
    }

    String url() {
        return "redis-sentinel://"
                + sentinels.stream()
                        .map(sentinel -> "127.0.0.1:" + sentinel.port())
                        .collect(Collectors.joining(","))
                + "#main";
    }

    EmbeddedRedis master() {
        return master;
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
