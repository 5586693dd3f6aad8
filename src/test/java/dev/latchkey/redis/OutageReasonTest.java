package dev.latchkey.redis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Topology;
import io.lettuce.core.RedisException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests the reasons that are logged if Redis cannot be used, with real connections that fail. */
class OutageReasonTest {
    private static String reason(String url, boolean cluster) {
        try (var connector = new Connector(url, cluster, Duration.ofSeconds(3), _ -> {})) {
            return OutageLog.reason(assertThrows(
                    RedisException.class, () -> connector.connect().sync().get("users:x")));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "redis://:s3cret@, Redis rejects the user or the password: check those in REDIS_URL",
        "redis://unknown:s3cret@, Redis rejects the user or the password: check those in REDIS_URL",
        "redis://, Redis rejects the user or the password: check those in REDIS_URL",
        "rediss://:right@,"
                + "'Redis accepts the connection but does not reply: it hangs, or the scheme of REDIS_URL is wrong'"
    })
    void a_wrong_password_and_a_wrong_scheme_have_different_reasons(String start, String reason) throws Exception {
        try (var redis = EmbeddedRedis.start(Map.of("requirepass", "right"))) {
            assertEquals(reason, reason(start + "localhost:" + redis.port(), false));
        }
    }

    @Test
    void the_reason_for_a_plaintext_url_with_a_tls_port_suggests_tls() throws Exception {
        String url = Topology.of("tls").url().replace("rediss:", "redis:");
        assertEquals(
                "Redis closes new connections: check the scheme of REDIS_URL, Redis may require TLS",
                reason(url, false));
    }

    @Test
    void the_reason_names_a_certificate_for_another_host() throws Exception {
        String url = Topology.of("tls").url().replace("localhost", "127.0.0.1");
        assertEquals("the certificate of Redis is not trusted, or is for another host", reason(url, false));
    }

    @Test
    void a_closed_port_and_an_unknown_host_name_have_different_reasons() throws Exception {
        String url = "redis://localhost:" + EmbeddedRedis.freePort();
        assertEquals("nothing listens at that address: start Redis, or check REDIS_URL", reason(url, false));
        assertEquals(
                "the host name cannot be resolved: check REDIS_URL", reason("redis://no-such-host.invalid", false));
    }

    @Test
    void the_reason_tells_whether_redis_is_a_cluster() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            assertEquals("Redis is not a cluster: check REDIS_URL and REDIS_CLUSTER", reason(redis.url(), true));
        }
        String url = Topology.of("cluster").url();
        String reason = "";
        for (String node : url.split(",", -1)) { // at most one of the two nodes serves the slot of the key
            try {
                reason = reason(node, false);
            } catch (AssertionError _) {
                // This node serves the slot.
            }
        }
        assertEquals("Redis is a cluster: set REDIS_CLUSTER=true", reason);
    }

    @Test
    void the_reason_names_a_connection_without_a_reply() throws Exception {
        try (var silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                var connector = new Connector(
                        "redis://localhost:" + silent.getLocalPort(), false, Duration.ofMillis(200), _ -> {})) {
            assertEquals(
                    "Redis accepts the connection but does not reply: it hangs, or the scheme of REDIS_URL is wrong",
                    OutageLog.reason(assertThrows(RedisException.class, connector::connect)));
        }
    }

    @Test
    void the_reason_names_a_timeout() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var connector = new Connector(redis.url(), false, Duration.ofSeconds(1), _ -> {})) {
            var commands = connector.connect().sync();
            redis.signal("STOP");
            assertEquals(
                    "no reply within REDIS_TIMEOUT_MS",
                    OutageLog.reason(assertThrows(RedisException.class, () -> commands.get("users:x"))));
        }
    }

    @Test
    void the_reason_for_a_rejected_command_contains_only_the_error_code() throws Exception {
        try (var redis = EmbeddedRedis.start(Map.of("maxmemory", "1"));
                var connector = new Connector(redis.url(), false, Duration.ofSeconds(5), _ -> {})) {
            var commands = connector.connect().sync();
            assertEquals(
                    "Redis rejects commands: OOM",
                    OutageLog.reason(assertThrows(RedisException.class, () -> commands.set("users:x", "s3cret"))));
        }
    }
}
