package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.latchkey.overload.Deadline;
import dev.latchkey.redis.Redis;
import dev.latchkey.redis.RedisSettings;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.StallingProxy;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestRedis;
import dev.latchkey.testing.Topology;
import io.lettuce.core.KillArgs;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Connections to Redis that are far away, idle, useless or lead to the wrong server. */
class RedisConnectionTest {
    private static final String HELLO_REPLY = "%2\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n";

    /** After a failover, the name of Redis leads to the new master, but the old connection still works. */
    @Test
    void a_demoted_master_is_left() throws Exception {
        try (var old = EmbeddedRedis.start(Map.of("repl-diskless-sync-delay", "0"));
                var next = EmbeddedRedis.start();
                var name = new StallingProxy(old.port());
                var toOld = new RedisAdmin(old.url(), false);
                var toNext = new RedisAdmin(next.url(), false);
                var app = TestApp.startOn(name.url(), "REDIS_TIMEOUT_MS", "1000")) {
            toNext.commands().replicaof("localhost", old.port());
            String user = TestApp.newName();
            String token = app.newToken(user);
            Load.await(() -> toNext.commands().exists("users:" + user) == 1);
            toNext.commands().replicaofNoOne();
            toOld.commands().replicaof("localhost", next.port());
            // Until the name leads to the new master, the service must not open one connection after the other.
            long before = connections(toOld);
            Instant end = Instant.now().plusSeconds(2);
            while (Instant.now().isBefore(end)) {
                expect(503, app.login(user, TestApp.PASSWORD));
            }
            assertTrue(connections(toOld) - before <= 4, "at most one new connection per second");
            name.moveTo(next.port());
            Load.await(() -> app.login(user, TestApp.PASSWORD).status() == 200);
            expect(200, app.refresh(token));
        }
    }

    private static long connections(RedisAdmin redis) {
        return Long.parseLong(
                redis.commands().info("stats").replaceAll("(?s).*total_connections_received:(\\d+).*", "$1"));
    }

    /** Lettuce would open more and more connections if a connection could not be used after its handshake. */
    @Test
    void a_redis_that_only_answers_the_handshake_causes_few_connections() throws Exception {
        var accepted = new AtomicInteger();
        var received = new ByteArrayOutputStream();
        try (var server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                var app = TestApp.startOn("redis://127.0.0.1:" + server.getLocalPort(), "REDIS_TIMEOUT_MS", "200")) {
            Thread.startVirtualThread(new FutureTask<>(() -> {
                while (true) {
                    Socket client = server.accept();
                    accepted.incrementAndGet();
                    Thread.startVirtualThread(() -> greet(client, received));
                }
            }));
            Instant end = Instant.now().plusSeconds(6);
            while (Instant.now().isBefore(end)) {
                expect(503, app.login("alice", TestApp.PASSWORD));
            }
            assertTrue(accepted.get() <= 3, accepted + " connections in 6 s");
            // If the handshake had such a last step, a late reply would multiply the connections.
            assertFalse(received.toString(StandardCharsets.UTF_8).contains("SETINFO"));
        }
    }

    private static void greet(Socket client, OutputStream received) {
        try (client) {
            byte[] hello = new byte[1024];
            if (client.getInputStream().read(hello) > 0) {
                client.getOutputStream().write(HELLO_REPLY.getBytes(StandardCharsets.US_ASCII));
                client.getInputStream().transferTo(received);
            }
        } catch (IOException _) {
            // The service has closed the connection.
        }
    }

    /** Each command takes 600 ms of a timeout of 1,000 ms. Several of them in a row take longer. */
    @Test
    void a_redis_far_away_can_be_used() throws Exception {
        String url = Topology.of("tls").url();
        try (var far = new StallingProxy(Integer.parseInt(url.replaceAll(".*:(\\d+).*", "$1")))) {
            far.delay(300);
            String farUrl = far.url().replace("redis:", url.substring(0, url.indexOf(':') + 1));
            try (var app = TestApp.startOn(new Topology(farUrl, url), "REDIS_TIMEOUT_MS", "1000")) {
                Load.await(() -> app.send("GET", "/health/ready", "").status() == 200);
                expect(201, app.register(TestApp.newName()));
            }
        }
    }

    /** Redis with a {@code timeout}, or a provider, closes connections that are idle. */
    @Test
    void a_request_after_the_connection_was_lost_waits_for_the_next_connection() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url(), "REDIS_TIMEOUT_MS", "5000")) {
            String token = app.newToken();
            for (int i = 0; i < 10; i++) {
                app.verify(token);
                // The other connection of the service may open later, and the third one is that of the test.
                Load.await(() -> app.redis().clientList().lines().count() == 3);
                String clients = app.redis().clientList();
                app.redis().clientKill(KillArgs.Builder.skipme());
                // A command that is sent before the service has noticed the loss fails, because it is not sent twice.
                Load.await(() -> clients.lines()
                                .filter(client -> isOpen(client, redis.port()))
                                .count()
                        == 1);
                expect(200, app.verify(token));
            }
        }
    }

    /** Returns whether the client's side of a connection in a client list of Redis is open, according to the kernel. */
    private static boolean isOpen(String client, int redisPort) {
        int port = Integer.parseInt(client.replaceAll(".* addr=\\S*:(\\d+) .*", "$1"));
        // Java uses sockets for both versions of IP. A connection to another server may have the same local port.
        String addresses = "[0F]*0100007F:%04X [0F]*0100007F:%04X".formatted(port, redisPort);
        try (var sockets = Files.lines(Path.of("/proc/net/tcp6"))) {
            return sockets.anyMatch(socket -> socket.matches(" *\\d+: " + addresses + " (01|08) .*"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void all_addresses_of_a_host_name_are_tried_and_a_new_one_is_found(@TempDir Path folder) throws Exception {
        Path hosts = Files.writeString(folder.resolve("hosts"), "127.0.0.9 my_redis\n127.0.0.1 my_redis\n");
        int port = EmbeddedRedis.freePort();
        String[] settings = {"REDIS_TIMEOUT_MS", "1000", "JAVA_TOOL_OPTIONS", "-Djdk.net.hosts.file=" + hosts};
        try (var first = EmbeddedRedis.startOn(port);
                var app = ServiceProcess.start("redis://my_redis:" + port, settings)) {
            Files.writeString(hosts, "127.0.0.2 my_redis\n");
            first.kill();
            app.awaitReady(503);
            try (var _ = EmbeddedRedis.startOn(port, Map.of("bind", "127.0.0.2"))) {
                app.awaitReady(200);
            }
        }
    }

    /** Otherwise the server would cut off the request without a response, because the sum of its commands is too long. */
    @Test
    void a_request_that_has_taken_too_long_sends_no_more_commands() throws Exception {
        var settings = new RedisSettings(TestRedis.url(), false, "", Duration.ofSeconds(10));
        try (var redis = new Redis(settings)) {
            String key = "users:" + TestApp.newName();
            var request = new FutureTask<>(() -> {
                Deadline.start(Duration.ofSeconds(60));
                assertTrue(redis.setIfAbsent(key, "1", Duration.ofSeconds(60)));
                Deadline.start(Duration.ZERO);
                return assertThrows(RedisUnavailableException.class, () -> redis.del(key))
                        .reason();
            });
            Thread.startVirtualThread(request);
            assertEquals(RedisUnavailableException.Reason.TIMEOUT, request.get());
            assertEquals("1", redis.get(key));
        }
    }

    /** Runs the service with a {@code resolv.conf} of its own. That needs root, as does the port of DNS. */
    @Test
    void a_nameserver_that_is_silent_does_not_prevent_the_connection(@TempDir Path folder) throws Exception {
        Path resolv = Files.writeString(
                folder.resolve("resolv.conf"),
                "nameserver 127.0.0.8\nnameserver 127.0.0.9\noptions timeout:1 attempts:1\n");
        Process unshare = new ProcessBuilder("unshare", "-m", "true").start();
        assumeTrue(unshare.waitFor() == 0, "needs the permission to unshare the mounts");
        try (var redis = EmbeddedRedis.start();
                var silent = new DatagramSocket(53, InetAddress.ofLiteral("127.0.0.8"));
                var nameserver = new DatagramSocket(53, InetAddress.ofLiteral("127.0.0.9"))) {
            Thread.startVirtualThread(new FutureTask<>(() -> {
                while (true) {
                    answer(nameserver);
                }
            }));
            try (var app = ServiceProcess.launchAfter(
                    List.of("unshare", "-m", "bash"),
                    "mount --bind " + resolv + " /etc/resolv.conf",
                    "redis://redis.example:" + redis.port())) {
                app.awaitReady(200);
                expect(201, app.register(TestApp.newName()));
                var query = new DatagramPacket(new byte[512], 512);
                silent.receive(query); // The service has asked this nameserver too.
            }
        }
    }

    /** Answers one query for an IPv4 address with 127.0.0.1, and others with no address (RFC 1035 §4.1). */
    private static void answer(DatagramSocket nameserver) throws IOException {
        var query = new DatagramPacket(new byte[512], 512);
        nameserver.receive(query);
        byte[] response = Arrays.copyOf(query.getData(), query.getLength() + 16);
        boolean ipv4 = response[query.getLength() - 3] == 1; // the end of the query is its type and class
        response[2] = (byte) 0x81; // a response
        response[3] = (byte) 0x80;
        response[7] = (byte) (ipv4 ? 1 : 0); // the number of addresses
        byte[] address = {(byte) 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1};
        System.arraycopy(address, 0, response, query.getLength(), address.length);
        int length = query.getLength() + (ipv4 ? address.length : 0);
        nameserver.send(new DatagramPacket(response, length, query.getSocketAddress()));
    }
}
