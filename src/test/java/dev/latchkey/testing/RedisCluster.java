package dev.latchkey.testing;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A Redis Cluster, by default of three masters with one replica each. Used by tests and {@link Chaos}. */
public final class RedisCluster implements AutoCloseable {
    private static final int SLOTS = 16_384;

    private final int masters;
    private final List<EmbeddedRedis> nodes = new ArrayList<>();
    private final List<Integer> busPorts = new ArrayList<>();
    private final List<RedisClient> clients = new ArrayList<>();

    private RedisCluster(int masters) {
        this.masters = masters;
    }

    public static RedisCluster start() throws Exception {
        return start(3, 3);
    }

    /** @param replicas number of masters that have a replica */
    public static RedisCluster start(int masters, int replicas) throws Exception {
        var cluster = new RedisCluster(masters);
        List<RedisCommands<String, String>> commands = new ArrayList<>();
        for (int i = 0; i < masters + replicas; i++) {
            int busPort = EmbeddedRedis.freePort(); // the default, port + 10000, may be in use or above 65535
            cluster.busPorts.add(busPort);
            var node = EmbeddedRedis.start(Map.of(
                    "cluster-enabled",
                    "yes",
                    "cluster-port",
                    Integer.toString(busPort),
                    "cluster-node-timeout",
                    "1000"));
            cluster.nodes.add(node);
            var client = RedisClient.create(RedisURI.create(node.url()));
            cluster.clients.add(client);
            commands.add(client.connect().sync());
        }
        cluster.join(commands);
        return cluster;
    }

    private void join(List<RedisCommands<String, String>> commands) throws Exception {
        for (int i = 0; i < commands.size(); i++) {
            commands.get(i).clusterSetConfigEpoch(i + 1L);
            if (i < masters) {
                commands.get(i)
                        .clusterAddSlots(IntStream.range(SLOTS * i / masters, SLOTS * (i + 1) / masters)
                                .toArray());
            }
            if (i > 0) {
                meet(commands.getFirst(), nodes.get(i).port(), busPorts.get(i));
            }
        }
        await(() -> commands.stream()
                .allMatch(node -> node.clusterNodes().lines().count() == commands.size()
                        && !node.clusterNodes().contains("handshake")));
        for (int i = masters; i < commands.size(); i++) {
            commands.get(i).clusterReplicate(commands.get(i - masters).clusterMyId());
        }
        await(() -> commands.stream()
                .allMatch(node -> node.clusterInfo().contains("cluster_state:ok")
                        && node.clusterNodes()
                                        .lines()
                                        .filter(line -> line.contains("slave"))
                                        .count()
                                == commands.size() - masters));
        await(() -> commands.stream()
                .skip(masters)
                .allMatch(node -> node.info("replication").contains("master_link_status:up")));
    }

    // Lettuce's clusterMeet cannot pass the port of the cluster bus.
    private static void meet(RedisCommands<String, String> node, int port, int busPort) {
        var arguments = new CommandArgs<>(StringCodec.UTF8)
                .add("MEET")
                .add("127.0.0.1")
                .add(port)
                .add(busPort);
        node.dispatch(CommandType.CLUSTER, new StatusOutput<>(StringCodec.UTF8), arguments);
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        var deadline = Instant.now().plusSeconds(30);
        while (!condition.getAsBoolean()) {
            if (Instant.now().isAfter(deadline)) {
                throw new IllegalStateException("the cluster did not reach the expected state within 30 s");
            }
            Thread.sleep(20);
        }
    }

    /** Returns the URLs of two masters. The client must discover the other nodes. */
    public String url() {
        return nodes.stream().limit(2).map(EmbeddedRedis::url).collect(Collectors.joining(","));
    }

    /** Returns the nodes, the masters first. */
    public List<EmbeddedRedis> nodes() {
        return nodes;
    }

    /** Kills a master, and waits until its replica has become a master and all slots are served. */
    public void failOver() throws InterruptedException {
        nodes.getFirst().kill();
        var replica = clients.get(masters).connect().sync();
        await(() -> replica.info("replication").contains("role:master")
                && replica.clusterInfo().contains("cluster_state:ok"));
    }

    @Override
    public void close() throws IOException {
        clients.forEach(RedisClient::shutdown);
        for (EmbeddedRedis node : nodes) {
            node.close();
        }
    }
}
