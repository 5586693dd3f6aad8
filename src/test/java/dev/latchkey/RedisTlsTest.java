package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Certificates;
import dev.latchkey.testing.Documents;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.RedisCluster;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.Shell;
import io.lettuce.core.cluster.SlotHash;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * TLS to Redis, set up with the commands and lines of operations.md. The service runs in the folder in which the
 * commands have put the stores.
 */
class RedisTlsTest {
    @TempDir
    private static Path folder;

    private static Certificates certificates;

    /** The environment variables that the commands export, separated by line feeds. */
    private static String withTrustStore = "";

    private static String withKeyStore = "";
    private static String clusterDirectives = "";
    private static String clusterUrl = "";

    @BeforeAll
    static void runDocumentedCommands() throws Exception {
        Shell.require("openssl");
        certificates = Certificates.create(folder);
        List<String> blocks = Documents.blocks("operations.md", "TLS", 4);
        clusterDirectives = blocks.get(2);
        try (var shell = new Shell(folder, Map.of())) {
            shell.run(blocks.get(0));
            withTrustStore = shell.run("echo \"$JAVA_TOOL_OPTIONS\"");
            shell.run(blocks.get(1));
            withKeyStore = shell.run("echo \"$JAVA_TOOL_OPTIONS\"");
            shell.run(blocks.get(3));
            clusterUrl = shell.run("echo \"$REDIS_CLUSTER $REDIS_URL\"");
        }
    }

    private static EmbeddedRedis redis(int port, Map<String, String> directives) throws IOException {
        Map<String, String> settings = certificates.redisSettings(port);
        settings.putAll(directives);
        return EmbeddedRedis.start(settings);
    }

    private static ServiceProcess launch(int redisPort, String options) throws IOException {
        String[] settings = {"JAVA_TOOL_OPTIONS", options, "REDIS_TIMEOUT_MS", "3000"};
        return ServiceProcess.launchIn(folder, "rediss://localhost:" + redisPort, settings);
    }

    private static void assertWorks(ServiceProcess service) throws InterruptedException {
        service.awaitReady(200);
        assertEquals(201, service.register("alice").status());
    }

    private static void assertCannotConnect(ServiceProcess service, String reason) throws InterruptedException {
        Load.await(() -> !service.printed("Redis is unavailable").isEmpty());
        service.awaitReady(503);
        String line = service.printed("Redis is unavailable").getFirst();
        assertTrue(line.contains("reason=\"" + reason), line);
    }

    private static String without(String text, String part) {
        assertTrue(text.contains(part), text);
        return text.replace(part, "");
    }

    @Test
    void the_service_trusts_the_documented_trust_store_and_needs_its_password() throws Exception {
        int port = EmbeddedRedis.freePort();
        String withoutPassword = without(withTrustStore, " -Djavax.net.ssl.trustStorePassword=changeit");
        try (var _ = redis(port, Map.of("tls-auth-clients", "no"));
                var service = launch(port, withTrustStore);
                var other = launch(port, withoutPassword)) {
            assertWorks(service);
            assertCannotConnect(
                    other,
                    "TLS failed, check the certificates: java.security.InvalidAlgorithmParameterException: the trustAnchors");
        }
    }

    @Test
    void an_expired_certificate_is_refused() throws Exception {
        int port = EmbeddedRedis.freePort();
        Map<String, String> expired = Map.of(
                "tls-auth-clients", "no",
                "tls-cert-file", folder.resolve("expired.crt").toString(),
                "tls-key-file", folder.resolve("expired.key").toString());
        try (var _ = redis(port, expired);
                var service = launch(port, withTrustStore)) {
            assertCannotConnect(
                    service, "TLS failed, check the certificates: java.security.cert.CertificateExpiredException");
        }
    }

    @Test
    void sentinels_and_redis_can_both_use_tls() throws Exception {
        int masterPort = EmbeddedRedis.freePort();
        int sentinelPort = EmbeddedRedis.freePort();
        Map<String, String> sentinelSettings = certificates.redisSettings(sentinelPort);
        sentinelSettings.put("tls-replication", "yes");
        sentinelSettings.put("sentinel announce-hostnames", "yes");
        sentinelSettings.put("sentinel resolve-hostnames yes\nsentinel monitor main localhost " + masterPort, "1");
        String url = "rediss-sentinel://localhost:" + sentinelPort + "#main";
        try (var _ = redis(masterPort, Map.of());
                var _ = EmbeddedRedis.startSentinel(sentinelSettings);
                var service = ServiceProcess.launchIn(folder, url, "JAVA_TOOL_OPTIONS", withKeyStore)) {
            assertWorks(service);
        }
    }

    @Test
    void the_service_presents_the_documented_client_certificate() throws Exception {
        int port = EmbeddedRedis.freePort();
        try (var _ = redis(port, Map.of());
                var service = launch(port, withKeyStore);
                var other = launch(port, withTrustStore)) {
            assertWorks(service);
            assertCannotConnect(
                    other,
                    "TLS failed, check the certificates: javax.net.ssl.SSLHandshakeException: (certificate_required)");
        }
    }

    @Test
    void an_unreadable_key_store_is_reported_and_the_process_exits_with_2() throws Exception {
        String missing = withKeyStore.replace("keystore.p12", "/missing.p12");
        String wrongPassword = withKeyStore
                .replace("keyStorePassword=changeit", "keyStorePassword=wrong")
                .replace("keystore.p12", folder.resolve("keystore.p12").toString());
        for (String options : List.of(missing, wrongPassword)) {
            Process process = ServiceProcess.java(
                    List.of(), "REDIS_URL", "rediss://localhost", "PORT", "0", "JAVA_TOOL_OPTIONS", options);
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(2, process.waitFor(), output);
            assertTrue(output.contains("\nlatchkey: REDIS_URL uses TLS, but javax.net.ssl.keyStore "), output);
            assertFalse(output.contains("\tat "), output);
        }
    }

    /** Starts a node of a cluster, which announces the address 127.0.0.1. Its certificate is only for localhost. */
    private static EmbeddedRedis node(int tlsPort, int busPort, Map<String, String> directives) throws IOException {
        int port = EmbeddedRedis.freePort(); // without TLS, so that the test can configure the cluster
        Map<String, String> settings = certificates.redisSettings(tlsPort);
        settings.putAll(Map.of(
                "port", Integer.toString(port),
                "tls-auth-clients", "no",
                "tls-cluster", "yes",
                "cluster-enabled", "yes",
                "cluster-port", Integer.toString(busPort),
                "cluster-announce-ip", "127.0.0.1",
                "cluster-node-timeout", "1000"));
        settings.putAll(directives);
        return EmbeddedRedis.startOn(port, settings);
    }

    private static void send(EmbeddedRedis node, String command) {
        assertEquals("+OK\r\n", node.send(command), command);
    }

    private static void addAllSlots(EmbeddedRedis node) {
        send(node, "CLUSTER ADDSLOTSRANGE 0 16383");
        awaitReply(node, "CLUSTER INFO", "cluster_state:ok");
    }

    private static void awaitReply(EmbeddedRedis node, String command, String pattern) {
        Pattern expected = Pattern.compile(pattern, Pattern.DOTALL);
        Load.await(() -> expected.matcher(node.send(command)).find());
    }

    private static ServiceProcess launchOnCluster(String url) throws IOException {
        return ServiceProcess.launchIn(folder, url, "REDIS_CLUSTER", "true", "JAVA_TOOL_OPTIONS", withTrustStore);
    }

    @Test
    void a_cluster_that_announces_addresses_needs_the_documented_url() throws Exception {
        int port = EmbeddedRedis.freePort();
        String[] exported = clusterUrl.split(" ", -1);
        assertEquals("true", exported[0]);
        String url = exported[1].replace("redis-1.example:6379", "localhost:" + port);
        try (var node = node(port, EmbeddedRedis.freePort(), Map.of())) {
            addAllSlots(node);
            try (var service = launchOnCluster(url);
                    var other = launchOnCluster("rediss://localhost:" + port)) {
                assertWorks(service);
                assertCannotConnect(
                        other,
                        "TLS failed, check the certificates: java.security.cert.CertificateException: No subject alternative names matching IP address");
            }
        }
    }

    /** With the first directive alone, a node would redirect clients to the address of another node. */
    @Test
    void a_cluster_that_announces_host_names_as_documented_works_also_after_slots_have_moved() throws Exception {
        int port = EmbeddedRedis.freePort();
        int otherPort = EmbeddedRedis.freePort();
        int otherBusPort = EmbeddedRedis.freePort();
        Map<String, String> directives = Map.of(clusterDirectives.strip().replace("redis-1.example", "localhost"), " ");
        try (var node = node(port, EmbeddedRedis.freePort(), directives);
                var other = node(otherPort, otherBusPort, directives)) {
            addAllSlots(node);
            send(node, "CLUSTER MEET 127.0.0.1 " + otherPort + " " + otherBusPort);
            awaitReply(node, "CLUSTER NODES", ",localhost .*,localhost ");
            awaitReply(other, "CLUSTER INFO", "cluster_state:ok");
            try (var service = launchOnCluster("rediss://localhost:" + port)) {
                assertWorks(service);
                move("users:moved", node, other);
                String redirect = node.send("GET users:moved");
                assertTrue(redirect.matches("-MOVED \\d+ localhost:\\d+\r\n"), redirect);
                assertEquals(201, service.register("moved").status());
            }
        }
    }

    /** Moves the slot of a key. The service is not told, so the first node redirects it. */
    private static void move(String key, EmbeddedRedis from, EmbeddedRedis to) {
        String setSlot = "CLUSTER SETSLOT " + SlotHash.getSlot(key) + " NODE " + RedisCluster.id(to);
        send(to, setSlot);
        send(from, setSlot);
    }
}
