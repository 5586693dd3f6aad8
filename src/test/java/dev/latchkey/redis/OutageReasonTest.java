package dev.latchkey.redis;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.Topology;
import io.lettuce.core.RedisException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests the reasons that are logged if Redis cannot be used, with real connections that fail. */
class OutageReasonTest {
    private static final String NO_REPLY =
            "no reply within REDIS_TIMEOUT_MS: Redis or the network is slow, or REDIS_URL has the wrong scheme";
    private static final String NO_CONNECTION =
            "there is no connection: Redis was restarted, is slow to accept one, or requires TLS (rediss://)";
    private static final String NO_PERMISSION = "the user of Redis lacks a permission: see ACL LOG";
    private static final String CHECK_ADDRESS = "check REDIS_URL, and what a cluster or sentinel announces";
    private static final String WRONG_PASSWORD =
            "Redis rejects the user or the password: check those in REDIS_URL or in the file of REDIS_URL_FILE";
    private static final String SENTINEL_PASSWORD = "a sentinel rejects REDIS_SENTINEL_PASSWORD";
    private static final String COMMAND = "return redis.call('SET', KEYS[1], '1')";

    /** Returns the reason why the first command fails. */
    private static String reason(String url, boolean cluster, String sentinelPassword) {
        return reason(url, cluster, sentinelPassword, redis -> redis.get("users:x"));
    }

    private static String reason(
            String url,
            boolean cluster,
            String sentinelPassword,
            Consumer<RedisClusterCommands<String, String>> command) {
        var settings = new RedisSettings(url, cluster, sentinelPassword, Duration.ofSeconds(1));
        try (var connector = new Connector(settings, _ -> {})) {
            return OutageLog.reason(assertThrows(RedisException.class, () -> command.accept(connector.connect())));
        }
    }

    private static String reason(String url) {
        return reason(url, false, "");
    }

    @ParameterizedTest
    @CsvSource({
        "redis://:s3cret@, " + WRONG_PASSWORD,
        "redis://unknown:s3cret@, " + WRONG_PASSWORD,
        "redis://, " + WRONG_PASSWORD,
        "rediss://:right@, '" + NO_REPLY + "'"
    })
    void a_wrong_password_and_a_wrong_scheme_have_different_reasons(String start, String reason) throws Exception {
        try (var redis = EmbeddedRedis.start(Map.of("requirepass", "right"))) {
            assertEquals(reason, reason(start + "localhost:" + redis.port()));
        }
    }

    @Test
    void the_reason_for_a_plaintext_url_with_a_tls_port_mentions_tls() throws Exception {
        String url = Topology.of("tls").url().replace("rediss:", "redis:");
        assertEquals(NO_CONNECTION, reason(url));
    }

    @Test
    void the_reason_names_a_certificate_for_another_host() throws Exception {
        String url = Topology.of("tls").url().replace("localhost", "127.0.0.1");
        assertEquals(
                "TLS failed, check the certificates: java.security.cert.CertificateException: No subject alternative names matching IP address 127.0.0.1 found",
                reason(url));
    }

    @Test
    void a_closed_port_an_unknown_host_name_and_another_server_have_different_reasons() throws Exception {
        int port = EmbeddedRedis.freePort();
        assertEquals(
                "Connection refused: /127.0.0.1:" + port + ": start Redis, or " + CHECK_ADDRESS,
                reason("redis://127.0.0.1:" + port));
        assertEquals("the host name has no address: " + CHECK_ADDRESS, reason("redis://no-such-host.invalid"));
        try (var web = TestApp.start()) {
            assertEquals("what replies is not Redis: " + CHECK_ADDRESS, reason("redis://127.0.0.1:" + web.port()));
        }
    }

    /** The kernel drops the packets of further connections if a server does not accept those that are waiting. */
    @Test
    void the_reason_names_an_address_that_cannot_be_reached() throws Exception {
        try (var full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                var _ = new Socket(full.getInetAddress(), full.getLocalPort());
                var _ = new Socket(full.getInetAddress(), full.getLocalPort())) {
            String address = "127.0.0.1:" + full.getLocalPort();
            assertEquals(
                    "connection timed out after 1000 ms: /" + address + ": start Redis, or " + CHECK_ADDRESS,
                    reason("redis://" + address));
        }
    }

    @Test
    void the_reason_tells_whether_redis_is_a_cluster() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            assertEquals("Redis is not a cluster: check REDIS_URL and REDIS_CLUSTER", reason(redis.url(), true, ""));
        }
        String url = Topology.of("cluster").url();
        String reason = "";
        for (String node : url.split(",", -1)) { // at most one of the two nodes serves the slot of the key
            try {
                reason = reason(node);
            } catch (AssertionError _) {
                // This node serves the slot.
            }
        }
        assertEquals("Redis is a cluster: set REDIS_CLUSTER=true", reason);
    }

    private static EmbeddedRedis clusterNode(String setting, String value) throws Exception {
        String busPort = Integer.toString(EmbeddedRedis.freePort());
        return EmbeddedRedis.start(Map.of("cluster-enabled", "yes", "cluster-port", busPort, setting, value));
    }

    @Test
    void the_reason_names_what_is_wrong_with_a_cluster() throws Exception {
        try (var node = clusterNode("save", "")) {
            assertEquals("the cluster does not serve all slots", reason(node.url(), true, ""));
        }
        try (var node = clusterNode("user default on nopass ~* +@all -cluster|nodes", " ")) {
            assertEquals(NO_PERMISSION, reason(node.url(), true, ""));
        }
        String closed = "127.0.0.9:" + EmbeddedRedis.freePort();
        String[] announced = closed.split(":", -1);
        try (var node = clusterNode("cluster-announce-ip", announced[0] + "\ncluster-announce-port " + announced[1]);
                var admin = new RedisAdmin(node.url(), false)) {
            admin.commands().clusterAddSlots(IntStream.range(0, 16_384).toArray());
            Load.await(() -> admin.commands().clusterInfo().contains("cluster_state:ok"));
            assertEquals(
                    "Connection refused: /" + closed + ": start Redis, or " + CHECK_ADDRESS,
                    reason(node.url(), true, ""));
        }
    }

    @Test
    void the_reason_tells_whether_a_sentinel_or_redis_itself_rejects_a_password() throws Exception {
        try (var master = EmbeddedRedis.start(Map.of("requirepass", "data"));
                var sentinel = EmbeddedRedis.startSentinel(Map.of(
                        "requirepass",
                        "sentinel",
                        "sentinel monitor main 127.0.0.1 " + master.port() + " 1\nsentinel auth-pass main data",
                        " "))) {
            String address = "localhost:" + sentinel.port();
            assertEquals(SENTINEL_PASSWORD, reason("redis-sentinel://:data@" + address + "#main", false, ""));
            assertEquals(SENTINEL_PASSWORD, reason("redis-sentinel://:data@" + address + "#main", false, "data"));
            assertEquals(WRONG_PASSWORD, reason("redis-sentinel://" + address + "#main", false, "sentinel"));
            assertEquals(WRONG_PASSWORD, reason("redis-sentinel://:wrong@" + address + "#main", false, "sentinel"));
            assertEquals(
                    "the sentinels know no such master: check #master in REDIS_URL",
                    reason("redis-sentinel://:data@" + address + "#other", false, "sentinel"));
            var settings = new RedisSettings(
                    "redis-sentinel://:data@" + address + "#main", false, "sentinel", Duration.ofSeconds(5));
            try (var connector = new Connector(settings, _ -> {})) {
                assertEquals("PONG", connector.connect().ping());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"+@all -hset ~*", "+@all -set ~*", "+@all ~tokens:*"})
    void the_reason_names_a_missing_permission(String permissions) throws Exception {
        try (var redis = EmbeddedRedis.start(Map.of("user default on nopass " + permissions, " "))) {
            assertEquals(NO_PERMISSION, reason(redis.url(), false, "", commands -> {
                commands.eval(COMMAND, ScriptOutputType.STATUS, "users:x");
                commands.hset("sessions:x", "a", "b");
            }));
        }
    }

    @Test
    void the_reason_names_a_connection_without_a_reply() throws Exception {
        try (var silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertEquals(NO_REPLY, reason("redis://127.0.0.1:" + silent.getLocalPort()));
        }
    }

    @Test
    void the_reason_names_a_timeout() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            assertEquals(NO_REPLY, reason(redis.url(), false, "", commands -> {
                assertDoesNotThrow(() -> redis.signal("STOP"));
                commands.get("users:x");
            }));
        }
    }

    @Test
    void the_reason_names_a_lost_connection() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            assertEquals(NO_CONNECTION, reason(redis.url(), false, "", commands -> {
                redis.kill();
                commands.get("users:x");
            }));
        }
    }

    @Test
    void the_reason_for_a_rejected_command_contains_only_the_error_code() throws Exception {
        try (var redis = EmbeddedRedis.start(Map.of("maxmemory", "1"))) {
            assertEquals(
                    "Redis rejects commands: OOM",
                    reason(redis.url(), false, "", commands -> commands.set("users:x", "s3cret")));
        }
    }
}
