package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests that the access log is complete, and that nothing waits for it if it cannot be written. */
class AccessLogTest {
    private static final int CONNECTIONS = 32;
    private static final int REQUESTS = 500; // per connection
    private static final Pattern ID = Pattern.compile("latchkey\\.access.*?requestId\\W+?(\\d+-\\d+)");
    private static final Pattern DROPPED = Pattern.compile("WARNING latchkey\\.logging dropped lines lines=(\\d+)");

    private static final String DROPPED_METRIC = "latchkey_access_log_dropped_lines_total ";

    private EmbeddedRedis redis;

    @BeforeEach
    void startRedis() throws IOException {
        redis = EmbeddedRedis.start();
    }

    @AfterEach
    void stopRedis() throws IOException {
        redis.close();
    }

    /** SIGTERM arrives right after the last response. */
    @ParameterizedTest
    @ValueSource(strings = {"text", "json"})
    void each_request_has_exactly_one_line(String format) throws Exception {
        List<String> lines;
        try (var service = ServiceProcess.start(redis.url(), "LOG_FORMAT", format)) {
            String token = service.newToken();
            List<Callable<Void>> clients = new ArrayList<>();
            for (int i = 0; i < CONNECTIONS; i++) {
                int connection = i;
                clients.add(() -> check(service.port(), token, connection, REQUESTS));
            }
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                for (Future<Void> client : threads.invokeAll(clients)) {
                    client.get();
                }
            }
            lines = service.stop();
        }
        List<String> logged = lines.stream()
                .flatMap(line -> ID.matcher(line).results())
                .map(id -> id.group(1))
                .toList();
        assertEquals(CONNECTIONS * REQUESTS, Set.copyOf(logged).size());
        assertEquals(CONNECTIONS * REQUESTS, logged.size());
    }

    /** A service whose log is a pipe that nothing reads yet. */
    private final class Unread implements AutoCloseable {
        final int port = EmbeddedRedis.freePort();
        final int metricsPort = EmbeddedRedis.freePort();
        final Process process;
        final TestClient client = new TestClient(port);
        final TestClient metrics = TestClient.ofOtherServer(metricsPort);
        final String token;

        Unread() throws IOException {
            String[] settings = {
                "HOST", "127.0.0.1",
                "PORT", Integer.toString(port),
                "METRICS_PORT", Integer.toString(metricsPort),
                "REDIS_URL", redis.url(),
                "REDIS_TIMEOUT_MS", "1000",
            };
            process = ServiceProcess.java(List.of(), settings);
            awaitReady(200);
            token = client.newToken("alice");
        }

        void awaitReady(int status) {
            Load.await(() -> client.responds("/health/ready", status));
        }

        /** Sends requests until the pipe and the queue are full. Returns how many lines have been dropped. */
        double fill(int requests) throws IOException {
            check(port, token, 0, requests);
            Load.await(() -> droppedLines(metrics) > 0);
            return droppedLines(metrics);
        }

        @Override
        public void close() {
            process.destroyForcibly();
            metrics.close();
            client.close();
        }
    }

    /** Nobody reads the log for a while, and the pipe is full. */
    @Test
    void a_blocked_log_stops_no_check_and_loses_only_lines_that_are_counted() throws Exception {
        int requests = 10_000;
        try (var service = new Unread();
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            double dropped = service.fill(requests);
            String ended = service.client.login("alice", TestClient.PASSWORD).field("token");
            expect(204, service.client.logout(ended));
            expect(401, service.client.verify(ended));
            check(service.port, service.token, 1, 1);

            BufferedReader log = service.process.inputReader(StandardCharsets.UTF_8);
            Future<List<String>> reading = threads.submit(() -> log.lines().toList());
            service.process.toHandle().destroy();
            List<String> lines = reading.get(30, TimeUnit.SECONDS);

            long reported = lines.stream()
                    .map(DROPPED::matcher)
                    .mapToLong(line -> line.find() ? Long.parseLong(line.group(1)) : 0)
                    .sum();
            long written = lines.stream()
                    .filter(line -> line.contains(" latchkey.access "))
                    .count();
            assertTrue(dropped <= reported, dropped + " > " + reported); // the log was blocked for longer
            // Also the registration, two logins, the logout, and the last two checks.
            assertEquals(requests + 6, written + reported);
            for (String event : List.of("registered", "login succeeded", "logged out")) {
                assertTrue(lines.stream().anyMatch(line -> line.contains("latchkey.audit " + event)), event);
            }
            assertTrue(lines.getLast().contains("stopped finished=true"), lines.getLast());
        }
    }

    /** Otherwise the threads of netty, or the thread that stops the process, would wait for the log. */
    @Test
    void a_blocked_log_keeps_the_service_neither_from_reconnecting_to_redis_nor_from_stopping() throws Exception {
        try (var service = new Unread()) {
            var _ = service.fill(6000);
            for (int i = 0; i < 2; i++) {
                redis.kill();
                service.awaitReady(503);
                redis.restart();
                service.awaitReady(200);
            }
            service.process.toHandle().destroy();
            assertTrue(service.process.waitFor(30, TimeUnit.SECONDS));
            assertEquals(0, service.process.exitValue());
        }
    }

    private static double droppedLines(TestClient metrics) {
        return metrics.send("GET", "/metrics", "")
                .text()
                .lines()
                .filter(line -> line.startsWith(DROPPED_METRIC))
                .mapToDouble(line -> Double.parseDouble(line.substring(DROPPED_METRIC.length())))
                .sum();
    }

    // Sends token checks over one connection, one after the other. Their request ids are CONNECTION-NUMBER.
    private static Void check(int port, String token, int connection, int requests) throws IOException {
        try (var socket = new RawClient(port).open()) {
            var in = new BufferedInputStream(socket.getInputStream());
            for (int i = 0; i < requests; i++) {
                String id = "X-Request-Id: " + connection + "-" + i;
                String request = RawClient.head("GET /api/auth/verify", "Authorization: Bearer " + token, id);
                socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
                String head = RawClient.readHead(in);
                assertTrue(head.startsWith("HTTP/1.1 200"), head);
            }
        }
        return null;
    }
}
