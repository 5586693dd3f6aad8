package dev.latchkey.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;

/**
 * A way to run Redis: standalone, with an ACL, with TLS, with Sentinel or as a Cluster. Each is started once, as real
 * processes on loopback that run until the tests end.
 *
 * @param url for the service
 * @param adminUrl for a test that inspects or changes stored data; it has all permissions
 */
public record Topology(String url, String adminUrl) {
    private static final Map<String, Topology> STARTED = new HashMap<>();

    /**
     * Returns a topology, which the first call starts.
     *
     * @param name one, acl, tls, sentinel or cluster
     */
    public static synchronized Topology of(String name) throws Exception {
        Topology topology = STARTED.get(name);
        if (topology == null) {
            topology = switch (name) {
                case "one" -> same(TestRedis.url());
                case "acl" -> acl();
                case "tls" -> tls();
                case "sentinel" -> same(RedisSentinels.start().url());
                case "cluster" -> same(RedisCluster.start().url());
                default -> throw new IllegalArgumentException(name);
            };
            STARTED.put(name, topology);
        }
        return topology;
    }

    private static Topology same(String url) {
        return new Topology(url, url);
    }

    /**
     * Starts a Redis with a user that has only the documented permissions. The password must be escaped in the URL.
     */
    private static Topology acl() throws IOException {
        String line =
                Documents.blocks("operations.md", "Redis user", 4).getFirst().strip();
        String user = line.replace("ACL SETUSER ", "user ").replace(">PASSWORD", ">p@ss/w:1");
        var redis = EmbeddedRedis.start(Map.of(user, " "));
        return new Topology(redis.url().replace("://", "://latchkey:p%40ss%2Fw%3A1@"), redis.url());
    }

    /** Starts a Redis with TLS and a certificate of a private authority, which this JVM trusts from then on. */
    private static Topology tls() throws Exception {
        var certificates = Certificates.create(Files.createTempDirectory("tls"));
        certificates.trust();
        int port = EmbeddedRedis.freePort();
        Map<String, String> settings = certificates.redisSettings(port);
        settings.put("tls-auth-clients", "no");
        EmbeddedRedis.start(settings);
        return same("rediss://localhost:" + port);
    }
}
