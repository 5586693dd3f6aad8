package dev.latchkey.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A way to run Redis: standalone, with an ACL, with TLS, with Sentinel or as a Cluster. Each is started once, as real
 * processes on loopback that run until the tests end.
 *
 * @param url for the service
 * @param adminUrl for a test that inspects or changes stored data; it has all permissions
 */
public record Topology(String url, String adminUrl) {
    /** The permissions that the service needs, as documented in operations.md. */
    public static final String ACL =
            "+ping +get +set +del +exists +hget +hset +hdel +hmget +hgetall +hkeys +hlen +hincrby"
                    + " +expire +pexpire +pttl +eval ~tokens:* ~users:* ~sessions:* ~todos:* ~throttle:*";

    private static final Map<String, Topology> STARTED = new HashMap<>();
    private static final char[] STORE_PASSWORD = "changeit".toCharArray();

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
     * Starts a Redis with a user that has only the permissions that the service needs. The password must be escaped in
     * the URL.
     */
    private static Topology acl() throws IOException {
        var redis = EmbeddedRedis.start(Map.of("user latchkey on >p@ss/w:1 " + ACL, " "));
        return new Topology(redis.url().replace("://", "://latchkey:p%40ss%2Fw%3A1@"), redis.url());
    }

    /** Starts a Redis with TLS and a certificate of a private authority, which this JVM trusts from then on. */
    private static Topology tls() throws Exception {
        Path folder = Files.createTempDirectory("tls");
        Path store = folder.resolve("keys.p12");
        keytool(store, "-alias", "authority", "-dname", "CN=authority", "-ext", "bc:c");
        keytool(
                store,
                "-alias",
                "server",
                "-dname",
                "CN=localhost",
                "-ext",
                "san=dns:localhost",
                "-signer",
                "authority");
        var keys = KeyStore.getInstance(store.toFile(), STORE_PASSWORD);
        Path certificate =
                pem(folder, "CERTIFICATE", keys.getCertificate("server").getEncoded());
        Path key =
                pem(folder, "PRIVATE KEY", keys.getKey("server", STORE_PASSWORD).getEncoded());
        trust(keys, folder.resolve("trusted.p12"));
        int port = EmbeddedRedis.freePort();
        EmbeddedRedis.start(Map.of(
                "port",
                "0",
                "tls-port",
                Integer.toString(port),
                "tls-cert-file",
                certificate.toString(),
                "tls-key-file",
                key.toString(),
                "tls-ca-cert-file",
                certificate.toString(),
                "tls-auth-clients",
                "no"));
        return same("rediss://localhost:" + port);
    }

    private static void keytool(Path store, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keyalg",
                "EC",
                "-keystore",
                store.toString(),
                "-storepass",
                new String(STORE_PASSWORD)));
        command.addAll(List.of(arguments));
        if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
            throw new IOException("keytool failed; see its output");
        }
    }

    private static Path pem(Path folder, String type, byte[] content) throws IOException {
        return Files.writeString(
                folder.resolve(type.replace(" ", "-")),
                "-----BEGIN " + type + "-----\n" + Base64.getMimeEncoder().encodeToString(content) + "\n-----END "
                        + type + "-----\n");
    }

    private static void trust(KeyStore keys, Path file) throws GeneralSecurityException, IOException {
        var trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("authority", keys.getCertificate("authority"));
        try (var out = Files.newOutputStream(file)) {
            trusted.store(out, STORE_PASSWORD);
        }
        System.setProperty("javax.net.ssl.trustStore", file.toString());
        System.setProperty("javax.net.ssl.trustStorePassword", new String(STORE_PASSWORD));
    }
}
