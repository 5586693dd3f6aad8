package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Many clients that each use as much memory and CPU as they can. The service runs as a process with the JVM settings of
 * the image, so that an OutOfMemoryError ends the process. The tests run with the default limit for request bodies, and
 * optionally with the largest one.
 */
class CrowdTest {
    private static final String IMAGE_OPTIONS = "-Xms64m -Xmx64m -XX:+UseSerialGC -XX:-UsePerfData"
            + " -XX:TrimNativeHeapInterval=10000 -XX:+ExitOnOutOfMemoryError";
    private static final String JSON = "Content-Type: application/json";
    private static final String READY = RawClient.head("GET /health/ready");
    private static final String LIVE = RawClient.head("GET /health/live");

    /**
     * Returns the default limit. With {@code -Dcrowd.all}, returns the largest limit too, which would take too long in
     * {@code scripts/test}.
     */
    static List<Integer> bodyLimits() {
        return Boolean.getBoolean("crowd.all") ? List.of(16_384, 1_048_576) : List.of(16_384);
    }

    private final List<Socket> sockets = new ArrayList<>();
    private int receiveBuffer; // bytes, or 0 for the system's default
    private EmbeddedRedis redis;

    @BeforeEach
    void start() throws Exception {
        redis = EmbeddedRedis.start();
    }

    @AfterEach
    void stop() throws Exception {
        disconnectAll();
        redis.close();
    }

    private ServiceProcess launch(String options, String... settings) throws Exception {
        var all = new ArrayList<>(List.of("LOGIN_THROTTLE", "false", "JDK_JAVA_OPTIONS", options));
        all.addAll(List.of(settings));
        return ServiceProcess.start(redis.url(), all.toArray(String[]::new));
    }

    private ServiceProcess launchWithImageOptions(int maxBodyBytes) throws Exception {
        return launch(IMAGE_OPTIONS, "MAX_BODY_BYTES", Integer.toString(maxBodyBytes));
    }

    /** Ends the attack, and asserts that the process is still ready, has logged no error and stops normally. */
    private void assertUnharmed(ServiceProcess app) throws Exception {
        disconnectAll();
        app.awaitReady(200);
        app.stop();
        assertEquals(List.of(), app.printed(" ERROR "));
    }

    /**
     * Opens {@code count} more connections, and then sends the text on every open connection concurrently. It is not an
     * error if the service closes connections in excess of its limit.
     */
    private void connect(ServiceProcess app, int count, String text) throws IOException {
        for (int i = 0; i < count; i++) {
            sockets.add(new RawClient(app.port()).open(receiveBuffer));
        }
        send(text);
    }

    private void send(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        onEachSocket(socket -> {
            try {
                socket.getOutputStream().write(bytes);
            } catch (IOException _) {
                // The service refused or closed the connection.
            }
        });
    }

    private void onEachSocket(Consumer<Socket> action) {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            sockets.forEach(socket -> threads.execute(() -> action.accept(socket)));
        }
    }

    /**
     * Reads a response from each connection and keeps the connection open. Returns the status codes, with 0 for closed
     * connections.
     */
    private Set<Integer> readAll() {
        Set<Integer> statuses = ConcurrentHashMap.newKeySet();
        onEachSocket(socket -> statuses.add(readStatus(socket)));
        return statuses;
    }

    /**
     * Reports whether the service has accepted all connections and read all bytes that arrived on them, according to
     * Linux's table of TCP sockets.
     */
    private static boolean hasReadAll(ServiceProcess app) {
        try (var lines = Files.lines(Path.of("/proc/net/tcp6"))) {
            String port = "%04X".formatted(app.port());
            return lines.map(line -> line.strip().split("[ :]+"))
                    .filter(fields -> fields[2].equals(port))
                    .allMatch(fields -> fields[7].equals("00000000"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int statusOf(Socket socket, String request) {
        try {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return readStatus(socket);
        } catch (IOException _) {
            return 0;
        }
    }

    private static int readStatus(Socket socket) {
        try {
            var in = new BufferedInputStream(socket.getInputStream());
            String head = RawClient.readHead(in);
            if (!head.endsWith("\r\n\r\n")) {
                return 0;
            }
            in.skipNBytes(Long.parseLong(head.replaceAll("(?si).*content-length: ([0-9]+).*", "$1")));
            return RawClient.status(head);
        } catch (IOException _) {
            return 0;
        }
    }

    private void disconnectAll() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
        sockets.clear();
    }

    private static boolean isReady(ServiceProcess app) throws IOException {
        return RawClient.status(new RawClient(app.port()).exchange(READY)) == 200;
    }

    private static String login(String body, int declared) {
        return RawClient.head("POST /api/auth/login", JSON, "Content-Length: " + declared) + body;
    }

    private static String login(String body) {
        return login(body, body.getBytes(StandardCharsets.ISO_8859_1).length);
    }

    private static String get(String path, String token) {
        return RawClient.head("GET " + path, "Authorization: Bearer " + token);
    }

    private static String tokenOfUserWithLargeTodos(ServiceProcess app) {
        String token = app.newToken();
        for (int i = 0; i < 200; i++) {
            app.createTodo(token, "\ud83d\ude00".repeat(200));
        }
        return token;
    }

    /** Jackson's parsers keep field names that they have seen. */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void field_names_of_requests_do_not_accumulate_in_memory(int maxBodyBytes) throws Exception {
        try (var app = launchWithImageOptions(maxBodyBytes)) {
            for (int i = 0; i < 12_000; i += 100) {
                String requests = IntStream.range(i, i + 100)
                        .mapToObj(n -> login(bodyWithFieldName(n, 50)))
                        .collect(Collectors.joining());
                assertEquals(100, RawClient.answers(new RawClient(app.port()).exchange(requests)));
            }
            for (int i = 0; i < 4000; i++) {
                String request = login(bodyWithFieldName(i, 16_300));
                assertEquals(400, RawClient.status(new RawClient(app.port()).exchange(request)));
            }
            assertUnharmed(app);
        }
    }

    private static String bodyWithFieldName(int number, int length) {
        return "{\"%010d%s\":1}".formatted(number, "x".repeat(length));
    }

    /** The JDK's write buffer of a connection grows to twice the size of the largest write. */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void idle_connections_do_not_retain_large_response_buffers(int maxBodyBytes) throws Exception {
        try (var app = launchWithImageOptions(maxBodyBytes)) {
            var fields = new StringBuilder("{\"a\":1");
            for (int i = 0; i < 1500; i++) {
                fields.append(",\"").append(i).append("\":1");
            }
            String errors = app.send("POST", "/api/auth/login", fields + "}").text();
            assertTrue(errors.length() < 4096 && errors.contains("errors"), errors);
            String list = get("/api/todos?limit=200", tokenOfUserWithLargeTodos(app));
            for (String request : List.of(login(fields + "}"), list)) {
                for (int i = 0; i < 4; i++) {
                    connect(app, 100, request);
                    readAll();
                }
                disconnectAll();
                app.awaitReady(200);
            }
            assertUnharmed(app);
        }
    }

    /** Each client sends many requests, because the operating system buffers the first responses. */
    @Test
    void clients_that_do_not_read_their_responses_cannot_exhaust_the_memory() throws Exception {
        int metricsPort = EmbeddedRedis.freePort();
        String options = "-Xmx47m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError"; // a metrics port needs 7 MiB of it
        try (var app = launch(options, "METRICS_PORT", Integer.toString(metricsPort))) {
            String token = tokenOfUserWithLargeTodos(app);
            receiveBuffer = 4096;
            // Clients without credentials cannot take the memory that large responses share.
            connect(app, 220, RawClient.head("GET /openapi.json").repeat(100));
            for (Socket socket : sockets) {
                assertEquals('H', socket.getInputStream().read(), "the response has started");
            }
            for (int i = 0; i < 20; i++) {
                expect(200, app.get("/api/todos?limit=200", token));
            }
            assertEquals(List.of(), app.printed("path=/openapi.json status=503"));
            disconnectAll();
            String list = get("/api/todos?limit=200", token);
            connect(app, 80, list.repeat(30));
            Load.await(() -> !app.printed("path=/api/todos status=503").isEmpty());
            List<Socket> stalled = List.copyOf(sockets);
            sockets.clear();
            connect(app, 40, list.replace("limit=200", "limit=10").repeat(500)); // they take the rest of the memory
            sockets.addAll(stalled);
            Load.await(() -> app.get("/api/todos?limit=10", token).status() == 503);
            for (int i = 0; i < 20; i++) {
                String metrics = new RawClient(metricsPort).exchange(RawClient.head("GET /metrics"));
                assertEquals(200, RawClient.status(metrics), "the metrics port has its own memory");
            }
            assertUnharmed(app);
        }
    }

    /** The text of the metrics grows with each route and status code that a client can cause. */
    @Test
    void clients_of_the_metrics_port_that_do_not_read_cannot_exhaust_the_memory() throws Exception {
        int metricsPort = EmbeddedRedis.freePort();
        String options = "-Xmx47m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError";
        try (var app = launch(options, "METRICS_PORT", Integer.toString(metricsPort))) {
            List<String> paths =
                    new ArrayList<>(List.of("/", "/openapi.json", "/health/live", "/api/todos", "/api/todos/x"));
            for (String path :
                    List.of("register", "login", "refresh", "logout", "me", "verify", "sessions", "password")) {
                paths.add("/api/auth/" + path);
            }
            var client = new RawClient(app.port());
            for (String method : List.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X")) {
                for (String path : paths) {
                    client.exchange(RawClient.head(method + " " + path));
                    client.exchange(RawClient.head(method + " " + path, "Host: second"));
                    client.exchange(RawClient.head(method + " " + path, "X: " + "x".repeat(40_000)));
                    client.exchange(method + " " + path + " HTTP/1.2\r\nHost: x\r\n\r\n");
                }
            }
            var metrics = new RawClient(metricsPort);
            int length = metrics.exchange(RawClient.head("GET /metrics")).length();
            assertTrue(length < 300_000, "length: " + length);
            for (int i = 0; i < 200; i++) {
                Socket socket = metrics.open(4096);
                sockets.add(socket);
                socket.getOutputStream().write(RawClient.head("GET /metrics").getBytes(StandardCharsets.US_ASCII));
            }
            for (int i = 0; i < 20; i++) {
                assertEquals(200, RawClient.status(metrics.exchange(RawClient.head("GET /metrics"))));
            }
            assertUnharmed(app);
        }
    }

    /**
     * If every connection could use all the memory that the limits of a single request allow, the heap would be full
     * before the service reaches its connection limit.
     */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void requests_of_maximum_size_on_all_connections_do_not_exhaust_the_memory(int maxBodyBytes) throws Exception {
        String strings = IntStream.range(0, 19)
                .mapToObj(i -> "\"" + i + "\":\"" + "\u00e4\u00b8\u00ad".repeat(2000) + "\",")
                .collect(Collectors.joining("", "{", ""));
        String body = strings.substring(0, Math.min(strings.length(), maxBodyBytes - 100));
        String password = "{\"username\":\"nobody\",\"password\":\"" + "\u00e4\u00b8\u00ad".repeat(500) + "\"";
        String cookies = "Cookie: " + "x".repeat(33_000);
        String length = "Content-Length: 100";
        try (var app = launchWithImageOptions(maxBodyBytes)) {
            for (String request : List.of(
                    login(password + " ".repeat(15_000) + "}"),
                    login(body, maxBodyBytes),
                    RawClient.head("POST /api/auth/login?" + "x".repeat(33_000), JSON, length) + "{",
                    RawClient.head("POST /api/auth/login", cookies, JSON, length) + "{",
                    LIVE.strip() + "\r\nX: " + "x".repeat(200_000),
                    "GET /" + "x".repeat(220_000),
                    RawClient.head("GET /" + "x".repeat(220_000)).strip() + "\r\n",
                    RawClient.head("GET /health/live", headers(5900)).strip() + "\r\n",
                    RawClient.head("GET /health/live", headers(190)),
                    RawClient.head("GET /nothing", cookies))) {
                connect(app, request.startsWith("POST") ? 1400 : 600, request);
                Load.await(() -> hasReadAll(app));
                disconnectAll();
                app.awaitReady(200);
            }
            assertUnharmed(app);
        }
    }

    private static String[] headers(int count) {
        return IntStream.range(0, count).mapToObj(i -> "a" + i + ":").toArray(String[]::new);
    }

    /**
     * Unicode normalization takes quadratic time for a run of combining marks. Such a password could occupy a core,
     * because virtual threads are not time-sliced.
     */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void passwords_of_combining_marks_do_not_block_token_checks(int maxBodyBytes) throws Exception {
        try (var app = launchWithImageOptions(maxBodyBytes)) {
            String token = app.newToken();
            int marks = maxBodyBytes / 4 - 100;
            String password = "a" + "\u00cc\u0080".repeat(marks) + "\u00cc\u0096".repeat(marks);
            String request = login("{\"username\":\"nobody\",\"password\":\"" + password + "\"}");
            connect(app, 50, request);
            for (int i = 0; i < 50; i++) {
                expect(200, app.verify(token));
            }
            assertEquals(Set.of(400), readAll());
            assertUnharmed(app);
        }
    }

    /**
     * All requests share one connection to Redis. The lists that one user requests must not block that connection for
     * other users.
     */
    @ParameterizedTest
    @ValueSource(strings = {"/api/todos?limit=200", "/api/todos?status=todo&limit=1", "/api/auth/sessions"})
    void many_concurrent_list_requests_do_not_make_token_checks_fail(String path) throws Exception {
        try (var app = launch(IMAGE_OPTIONS, "MAX_SESSIONS_PER_USER", "1000", "MAX_TODOS_PER_USER", "10000");
                var admin = new RedisAdmin(redis.url(), false)) {
            String name = TestClient.newName();
            String token = app.newToken(name);
            String entry = admin.commands().hget("sessions:" + name, token);
            for (int i = 1; i < 1000; i++) {
                String other = UUID.randomUUID().toString();
                admin.commands().set("tokens:" + other, name);
                admin.commands()
                        .hset("sessions:" + name, other, entry.replaceFirst("\"id\":\"[^\"]*", "\"id\":\"" + i));
            }
            var todo = app.createTodo(token, "\ud83d\ude00".repeat(200));
            for (int i = 1; i < 10_000; i += 1111) {
                Map<String, String> todos = new HashMap<>();
                for (int j = i; j < i + 1111; j++) {
                    String id = "00000000-0000-7000-8000-%012d".formatted(j);
                    todos.put(id, todo.text().replace(todo.field("id"), id));
                }
                admin.commands().hset("todos:" + name, todos);
            }
            expect(409, app.createTodo(token, "n"));
            String checked = app.newToken();
            String request = get(path, token);
            connect(app, 300, "");
            var done = new AtomicBoolean();
            Set<Integer> statuses = ConcurrentHashMap.newKeySet();
            Thread crowd = Thread.startVirtualThread(() -> onEachSocket(socket -> {
                while (!done.get()) {
                    statuses.add(statusOf(socket, request));
                }
            }));
            for (int i = 0; i < 25; i++) {
                expect(200, app.verify(checked));
            }
            done.set(true);
            crowd.join();
            assertTrue(statuses.contains(200) && Set.of(200, 503).containsAll(statuses), statuses::toString);
            assertUnharmed(app);
        }
    }

    /** This is the Slowloris attack: each client sends a header from time to time and never completes its request. */
    @Test
    void two_thousand_clients_that_never_complete_a_request_do_not_block_other_clients() throws Exception {
        try (var app = launch("-Xmx350m -Dsun.net.httpserver.maxReqTime=60")) {
            connect(app, 2000, "GET /health/live HTTP/1.1\r\n");
            for (int i = 0; i < 5; i++) {
                assertTrue(isReady(app));
                send("X-Slow: x\r\n");
            }
        }
    }

    @Test
    void connections_beyond_the_open_file_limit_are_refused_and_the_service_stays_ready() throws Exception {
        try (var app = ServiceProcess.startWithOpenFiles(300, redis.url(), "JDK_JAVA_OPTIONS", "-Xmx200m")) {
            expect(201, app.register(TestClient.newName()));
            connect(app, 400, LIVE);
            assertEquals(Set.of(0, 200), readAll(), "some connections must be refused and the others served");
            redis.restart();
            Socket first = sockets.getFirst();
            Load.await(() -> statusOf(first, READY) == 200);
            disconnectAll();
            app.stop();
        }
    }

    @Test
    void ten_thousand_idle_connections_stay_open_and_usable() throws Exception {
        var system = (UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        int count = (int) Math.min(10_000, system.getMaxFileDescriptorCount() - 1000);
        System.out.println("idle connections: " + count); // fewer than 10,000 if the machine's limit is lower
        try (var app = launch(
                "-Xmx400m -Djdk.httpserver.maxConnections=11000 -Dsun.net.httpserver.maxIdleConnections=11000")) {
            connect(app, count, "");
            for (int round = 0; round < 2; round++) {
                send(LIVE);
                assertEquals(Set.of(200), readAll());
                assertTrue(isReady(app));
            }
        }
    }
}
