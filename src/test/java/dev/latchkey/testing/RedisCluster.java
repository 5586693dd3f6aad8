package dev.latchkey.testing;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** A Redis Cluster, by default of three masters with one replica each. Used by tests and {@link Chaos}. */
public final class RedisCluster implements AutoCloseable {
    private static final int SLOTS = 16_384;

    private final int masters;
    private final List<EmbeddedRedis> nodes = new ArrayList<>();

    private RedisCluster(int masters) {
        this.masters = masters;
    }

    public static RedisCluster start() throws IOException {
        return start(3, 3);
    }

    /** @param replicas number of masters that have a replica */
    public static RedisCluster start(int masters, int replicas) throws IOException {
        var cluster = new RedisCluster(masters);
        for (int i = 0; i < masters + replicas; i++) {
            cluster.add(i);
        }
        cluster.addReplicas();
        return cluster;
    }

    private void add(int i) throws IOException {
        int busPort = EmbeddedRedis.freePort(); // the default, port + 10000, may be in use or above 65535
        var node = EmbeddedRedis.start(Map.of(
                "cluster-enabled", "yes",
                "cluster-port", Integer.toString(busPort),
                "cluster-node-timeout", "1000"));
        nodes.add(node);
        node.send("CLUSTER SET-CONFIG-EPOCH " + (i + 1));
        if (i < masters) {
            node.send("CLUSTER ADDSLOTSRANGE " + SLOTS * i / masters + " " + (SLOTS * (i + 1) / masters - 1));
        }
        if (i > 0) {
            nodes.getFirst().send("CLUSTER MEET 127.0.0.1 " + node.port() + " " + busPort);
        }
    }

    private void addReplicas() {
        List<EmbeddedRedis> replicas = nodes.subList(masters, nodes.size());
        for (EmbeddedRedis replica : replicas) {
            String master = id(nodes.get(replicas.indexOf(replica)));
            Load.await(() -> replica.send("CLUSTER REPLICATE " + master).startsWith("+OK")); // when it knows the master
        }
        Load.await(() -> nodes.stream().allMatch(node -> knowsAllNodes(node, replicas.size())));
        Load.await(() ->
                replicas.stream().allMatch(node -> node.send("INFO replication").contains("master_link_status:up")));
    }

    private boolean knowsAllNodes(EmbeddedRedis node, int replicas) {
        String known = node.send("CLUSTER NODES");
        return node.send("CLUSTER INFO").contains("cluster_state:ok")
                && known.lines().filter(line -> line.contains(" connected")).count() == nodes.size()
                && known.lines().filter(line -> line.contains("slave")).count() == replicas
                && !known.contains("handshake");
    }

    /** Returns the id of a node of any cluster. */
    public static String id(EmbeddedRedis node) {
        return node.send("CLUSTER MYID").split("\r\n", -1)[1];
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
    public void failOver() {
        nodes.getFirst().kill();
        EmbeddedRedis replica = nodes.get(masters);
        Load.await(() -> replica.send("INFO replication").contains("role:master")
                && replica.send("CLUSTER INFO").contains("cluster_state:ok"));
    }

    @Override
    public void close() throws IOException {
        for (EmbeddedRedis node : nodes) {
            node.close();
        }
    }
}
