package dev.latchkey.testing;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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

    public static RedisSentinels start() throws IOException {
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
            Load.await(() -> {
                String seen = sentinel.send("SENTINEL MASTER main");
                return seen.contains("num-slaves\r\n$1\r\n1\r\n")
                        && seen.contains("num-other-sentinels\r\n$1\r\n2\r\n");
            });
        }
        return started;
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
    public void failOver() {
        master.kill();
        String port = "\r\n" + replica.port() + "\r\n";
        for (EmbeddedRedis sentinel : sentinels) {
            Load.await(
                    () -> sentinel.send("SENTINEL GET-MASTER-ADDR-BY-NAME main").contains(port));
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
