package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The metrics port, from outside. */
class MetricsTest {
    private static final String REQUESTS = "http_server_request_duration_seconds";
    private static final String HALF_SENT_LOGIN = """
            POST /api/auth/login HTTP/1.1
            Host: x
            Content-Type: application/json
            Content-Length: 2

            {""".replace("\n", "\r\n");
    private static final String HALF_SENT = "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ";

    private static EmbeddedRedis redis;
    private static TestApp app;
    private static TestClient metrics;

    @BeforeAll
    static void start() throws IOException {
        redis = EmbeddedRedis.start();
        app = TestApp.startOn(redis.url(), "METRICS_PORT", "0", "REDIS_TIMEOUT_MS", "1000");
        metrics = app.metricsClient();
    }

    @AfterAll
    static void stop() throws IOException {
        metrics.close();
        app.close();
        redis.close();
    }

    private static String text() {
        return text(metrics);
    }

    private static String text(TestClient metrics) {
        var answer = metrics.send("GET", "/metrics", "");
        assertEquals(200, answer.status(), answer::text);
        return answer.text();
    }

    /** Returns the value of a series, or 0 if it does not exist yet. */
    private static double value(String series) {
        return text().lines()
                .filter(line -> line.startsWith(series + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(series.length() + 1)))
                .findFirst()
                .orElse(0);
    }

    private static String requests(String method, String route, String status) {
        return REQUESTS + "_count{http_request_method=\"" + method + "\",http_route=\"" + route
                + "\",http_response_status_code=\"" + status + "\"}";
    }

    /** Waits until each of the series has grown by one because of the action. */
    private static void assertCounted(Runnable action, String... series) {
        Map<String, Double> before = new TreeMap<>();
        List.of(series).forEach(one -> before.put(one, value(one)));
        action.run();
        Load.await(() -> before.entrySet().stream().allMatch(one -> value(one.getKey()) == one.getValue() + 1));
    }

    @Test
    void metrics_are_served_on_the_metrics_port_only() {
        assertEquals(404, app.send("GET", "/metrics", "").status());
        var answer = metrics.send("GET", "/metrics", "");
        assertEquals(200, answer.status());
        assertEquals("text/plain; version=0.0.4; charset=utf-8", answer.header("Content-Type"));
        assertTrue(answer.text().contains("\nlatchkey_build_info{version=\"development\"} 1\n"), answer::text);
    }

    @Test
    void the_metrics_port_has_the_health_routes_and_no_others() {
        assertEquals(200, metrics.send("GET", "/health/live", "").status());
        assertEquals(200, metrics.send("GET", "/health/ready", "").status());
        for (String other : List.of("/", "/metrics/", "/metricsX", "/%6Detrics", "/health", "/health/live/")) {
            assertEquals(404, metrics.send("GET", other, "").status(), other);
        }
        assertEquals(404, metrics.get("/api/auth/verify", app.newToken()).status());
        assertEquals(404, metrics.register(TestClient.newName()).status());
        var head = metrics.send("HEAD", "/metrics", "");
        assertEquals(200, head.status());
        assertNotEquals("0", head.header("Content-Length"));
    }

    @Test
    void requests_are_counted_by_route_method_and_status_code() {
        String name = TestClient.newName();
        assertCounted(
                () -> app.register(name),
                requests("POST", "/api/auth/register", "201"),
                "latchkey_password_hash_duration_seconds_count");
        assertCounted(() -> app.login(name, TestClient.PASSWORD), requests("POST", "/api/auth/login", "200"));
        assertCounted(() -> app.login(name, "a wrong password"), requests("POST", "/api/auth/login", "401"));
        String token = app.newToken(name);
        assertCounted(() -> app.get("/api/auth/verify", token), requests("GET", "/api/auth/verify", "200"));
        String below = requests("GET", "/api/auth/verify/{*path}", "200");
        assertCounted(() -> app.get("/api/auth/verify/some/path", token), below);
        String todo = "/api/todos/0198c000-0000-7000-8000-000000000000";
        assertCounted(() -> app.get(todo, token), requests("GET", "/api/todos/{id}", "404"));
        assertCounted(() -> app.send("PUT", "/api/todos", "{}"), requests("_OTHER", "/api/todos", "405"));
        assertCounted(() -> app.send("GET", "/unknown", ""), requests("GET", "", "404"));
    }

    @Test
    void a_request_without_a_response_is_counted_without_a_status_code() {
        assertCounted(
                () -> {
                    try (Socket socket = new RawClient(app.port()).open()) {
                        socket.getOutputStream().write(HALF_SENT_LOGIN.getBytes(StandardCharsets.US_ASCII));
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                },
                requests("POST", "/api/auth/login", ""));
    }

    /** Otherwise a client could fill the memory of the service and of Prometheus. */
    @Test
    void a_client_cannot_create_series() {
        for (int i = 0; i < 100; i++) {
            app.send("M" + i, "/api/auth/verify", "");
            app.send("M" + i, "/path" + i + "?query=" + i, "");
            app.send("GET", "/api/auth/verify/" + i, "");
            app.send("GET", "/api/todos/" + i, "", "User-Agent", "agent" + i, "X-Request-Id", "id" + i);
            app.login("user" + i, "a wrong password");
        }
        Load.await(() -> value(requests("_OTHER", "", "404")) >= 100);
        Set<String> known = new HashSet<>(List.of(""));
        known.addAll(List.of("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "_OTHER"));
        known.addAll(List.of("/api/auth/verify", "/api/auth/verify/{*path}", "/api/todos", "/api/todos/{id}"));
        known.addAll(List.of("/api/auth/register", "/api/auth/login"));
        List<String> series = text().lines()
                .filter(line -> line.startsWith(REQUESTS + "_count"))
                .toList();
        for (String one : series) {
            Pattern.compile("\"([^\"]*)\"")
                    .matcher(one)
                    .results()
                    .map(label -> label.group(1))
                    .forEach(label -> assertTrue(known.contains(label) || label.matches("[2-5]\\d\\d"), one));
        }
        assertTrue(series.size() < 40, series::toString);
    }

    @Test
    void a_failing_redis_shows_in_the_metrics_and_leaves_the_metrics_port_working() throws IOException {
        String token = app.newToken();
        assertEquals(1, value("latchkey_redis_connected"));
        redis.kill();
        try {
            Load.await(() -> value("latchkey_redis_connected") == 0);
            assertCounted(
                    () -> app.login(TestClient.newName(), TestClient.PASSWORD),
                    requests("POST", "/api/auth/login", "503"),
                    "latchkey_redis_failures_total{reason=\"not_connected\"}");
            assertEquals(503, app.get("/api/auth/verify", token).status());
            assertEquals(503, metrics.send("GET", "/health/ready", "").status());
            assertEquals(200, metrics.send("GET", "/health/live", "").status());
        } finally {
            redis.restart();
        }
        Load.await(() -> value("latchkey_redis_connected") == 1
                && metrics.send("GET", "/health/ready", "").status() == 200);
    }

    @Test
    void slow_clients_of_the_metrics_port_do_not_keep_others_out() throws IOException {
        List<Socket> slow = new ArrayList<>();
        try {
            for (int i = 0; i < 100; i++) {
                Socket socket = new RawClient(metrics.port()).open();
                slow.add(socket);
                socket.getOutputStream().write(HALF_SENT.getBytes(StandardCharsets.US_ASCII));
            }
            Load.await(() -> metrics.responds("/metrics", 200));
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
    }

    /** An idle connection would take memory that the public port has not left for it. */
    @Test
    void each_response_closes_its_connection() throws IOException {
        String response = new RawClient(metrics.port()).exchange(RawClient.head("GET /metrics"));
        assertEquals(200, RawClient.status(response));
        assertTrue(response.contains("\r\nConnection: close\r\n"), response);
    }

    @Test
    void metrics_are_served_while_the_public_port_refuses_connections_and_until_the_drain_has_ended() throws Exception {
        int port = EmbeddedRedis.freePort();
        List<Socket> idle = new ArrayList<>();
        try (var service = ServiceProcess.startWithOpenFiles(160, redis.url(), "METRICS_PORT", Integer.toString(port));
                var client = TestClient.ofOtherServer(port)) {
            List<String> serving = service.printed("latchkey.main serving metrics port=" + port);
            assertEquals(1, serving.size(), serving::toString);
            assertTrue(text(client).contains("\nlatchkey_http_max_connections 30\n"));
            var raw = new RawClient(service.port());
            for (int i = 0; i < 30; i++) {
                idle.add(raw.open());
            }
            Load.await(() -> !responds(raw));
            assertTrue(client.responds("/metrics", 200));
            for (Socket socket : idle) {
                socket.close();
            }
            Load.await(() -> responds(raw));
            try (Socket socket = raw.open()) {
                socket.getOutputStream().write(HALF_SENT_LOGIN.getBytes(StandardCharsets.US_ASCII));
                Load.await(() -> text(client).contains("\nhttp_server_active_requests 1\n"));
                service.terminate();
                Load.await(() -> !responds(raw));
                assertTrue(client.send("GET", "/health/ready", "").text().contains("draining"));
                assertTrue(text(client).contains("\nhttp_server_active_requests 1\n"));
                socket.getOutputStream().write('}');
                assertEquals(400, RawClient.status(RawClient.readHead(socket.getInputStream())));
            }
            service.awaitExit(0);
            assertEquals(List.of(), service.printed("path=/metrics"), "a scrape is not worth a line of the access log");
        }
    }

    private static boolean responds(RawClient raw) {
        try {
            return RawClient.status(raw.exchange(RawClient.head("GET /health/live", "Connection: close"))) == 200;
        } catch (IOException _) {
            return false; // The connection was refused.
        }
    }

    /** Compares names, types and labels. */
    @Test
    void the_documented_metrics_are_those_that_are_served() throws IOException {
        app.newToken(); // the metrics of requests exist from the first request on
        Map<String, String> served = new TreeMap<>();
        String text = text();
        for (MatchResult type : Pattern.compile("# TYPE (\\S+) (\\S+)\n(\\S+) ")
                .matcher(text)
                .results()
                .toList()) {
            String labels = Pattern.compile("[{,](\\w+)=\"")
                    .matcher(type.group(3))
                    .results()
                    .map(label -> "`" + label.group(1) + "`")
                    .filter(label -> !label.equals("`le`"))
                    .reduce((a, b) -> a + ", " + b)
                    .orElse("");
            served.put(type.group(1), type.group(2) + " " + labels);
        }
        Map<String, String> documented = new TreeMap<>();
        Pattern.compile("(?m)^\\| `(\\w+)` \\| (gauge|counter|histogram|summary) \\| ([^|]*?) ?\\|")
                .matcher(Files.readString(Path.of("src/site/markdown/operations.md")))
                .results()
                .forEach(row -> documented.put(row.group(1), row.group(2) + " " + row.group(3)));
        assertEquals(documented, served);
    }
}
