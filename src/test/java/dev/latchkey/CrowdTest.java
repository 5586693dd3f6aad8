package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients that take as much memory and CPU as they can get. The service is a process with the settings of the image, where an
 * OutOfMemoryError ends it: with the default limit of a request body, and with the largest one.
 */
class CrowdTest {
    private static final String IMAGE = "-Xms64m -Xmx64m -XX:+UseSerialGC -XX:-UsePerfData"
            + " -XX:TrimNativeHeapInterval=10000 -XX:+ExitOnOutOfMemoryError";
    private static final int DEADLINE_MILLIS = 20_000;
    private static final String HEAD = " HTTP/1.1\r\nHost: x\r\n";
    private static final String JSON = "Content-Type: application/json\r\nContent-Length: ";

    /** The default limit; with {@code -Dcrowd.all} the largest one too, for which {@code scripts/test} has no time. */
    static List<Integer> bodyLimits() {
        return Boolean.getBoolean("crowd.all") ? List.of(16_384, 1_048_576) : List.of(16_384);
    }

    private final List<Socket> crowd = new ArrayList<>();
    private int receiveBuffer; // bytes; 0 for the system's default
    private EmbeddedRedis redis;

    @BeforeEach
    void start() throws Exception {
        redis = EmbeddedRedis.start();
    }

    @AfterEach
    void stop() throws Exception {
        leave();
        redis.close();
    }

    private ServiceProcess launch(String options, String... settings) throws Exception {
        var all = new ArrayList<>(List.of("LOGIN_THROTTLE", "false", "JDK_JAVA_OPTIONS", options));
        all.addAll(List.of(settings));
        return ServiceProcess.start(redis.url(), all.toArray(String[]::new));
    }

    private ServiceProcess launchImage(int maxBodyBytes) throws Exception {
        return launch(IMAGE, "MAX_BODY_BYTES", Integer.toString(maxBodyBytes));
    }

    /** Ends the attack, and with it the process: in order, and not because of an error. */
    private void assertUnharmed(ServiceProcess app) throws Exception {
        leave();
        app.awaitReady(200);
        app.stop();
        assertEquals(List.of(), app.printed(" ERROR "));
    }

    /** Opens connections, which send all at once. More than the service takes are no error. */
    private void join(ServiceProcess app, int count, String sent) throws IOException {
        for (int i = 0; i < count; i++) {
            var socket = new Socket();
            if (receiveBuffer > 0) {
                socket.setReceiveBufferSize(receiveBuffer);
            }
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), app.port()));
            socket.setSoTimeout(DEADLINE_MILLIS);
            crowd.add(socket);
        }
        send(sent);
    }

    private void send(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        List<Thread> threads = crowd.stream()
                .map(socket -> Thread.startVirtualThread(() -> {
                    try {
                        socket.getOutputStream().write(bytes);
                    } catch (IOException _) {
                        // turned away, or cut off
                    }
                }))
                .toList();
        threads.forEach(CrowdTest::join);
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Reads a response from each connection, and keeps it open. Returns the status codes; 0 if it was closed. */
    private Set<Integer> readAll() {
        Set<Integer> statuses = ConcurrentHashMap.newKeySet();
        List<Thread> threads = crowd.stream()
                .map(socket -> Thread.startVirtualThread(() -> statuses.add(status(socket))))
                .toList();
        threads.forEach(CrowdTest::join);
        return statuses;
    }

    /** Reports whether the service has accepted all connections and read all that arrived on them, as Linux counts it. */
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
            return status(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int status(Socket socket) {
        try {
            var in = new BufferedInputStream(socket.getInputStream());
            var text = new StringBuilder();
            while (text.indexOf("\r\n\r\n") < 0) {
                int c = in.read();
                if (c < 0) {
                    return 0;
                }
                text.append((char) c);
            }
            String length = text.toString().replaceAll("(?si).*content-length: ([0-9]+).*", "$1");
            in.skipNBytes(Long.parseLong(length));
            return RawClient.status(text.toString());
        } catch (IOException _) {
            return 0;
        }
    }

    private void leave() throws IOException {
        for (Socket socket : crowd) {
            socket.close();
        }
        crowd.clear();
    }

    private static boolean served(ServiceProcess app) throws IOException {
        return RawClient.status(new RawClient(app.port()).exchange("GET /health/ready" + HEAD + "\r\n")) == 200;
    }

    private static String login(String body, int declared) {
        return "POST /api/auth/login" + HEAD + JSON + declared + "\r\n\r\n" + body;
    }

    private static String login(String body) {
        return login(body, body.getBytes(StandardCharsets.ISO_8859_1).length);
    }

    /** Jackson's parsers keep the field names that they have seen. */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void field_names_do_not_stay_in_memory(int maxBodyBytes) throws Exception {
        try (var app = launchImage(maxBodyBytes)) {
            for (int i = 0; i < 12_000; i += 100) {
                String many = IntStream.range(i, i + 100)
                        .mapToObj(n -> login(name(n, 50)))
                        .collect(Collectors.joining());
                assertEquals(100, RawClient.answers(new RawClient(app.port()).exchange(many)));
            }
            for (int i = 0; i < 4000; i++) {
                assertEquals(400, RawClient.status(new RawClient(app.port()).exchange(login(name(i, 16_300)))));
            }
            assertUnharmed(app);
        }
    }

    private static String name(int number, int length) {
        return "{\"%010d%s\":1}".formatted(number, "x".repeat(length));
    }

    /** The JDK's write buffer of a connection grows to twice the longest write. */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void idle_connections_hold_no_large_responses(int maxBodyBytes) throws Exception {
        try (var app = launchImage(maxBodyBytes)) {
            var fields = new StringBuilder("{\"a\":1");
            for (int i = 0; i < 1500; i++) {
                fields.append(",\"").append(i).append("\":1");
            }
            String errors = app.send("POST", "/api/auth/login", fields + "}").text();
            assertTrue(errors.length() < 4096 && errors.contains("errors"), errors);
            String token = app.newToken();
            for (int i = 0; i < 200; i++) {
                app.send("POST", "/api/todos", token, "{\"name\":\"" + "\ud83d\ude00".repeat(200) + "\"}");
            }
            String list = "GET /api/todos?limit=200" + HEAD + "Authorization: Bearer " + token + "\r\n\r\n";
            for (String request : List.of(login(fields + "}"), list)) {
                for (int i = 0; i < 4; i++) {
                    join(app, 100, request);
                    readAll();
                }
                leave();
                app.awaitReady(200);
            }
            assertUnharmed(app);
        }
    }

    /** Many requests each, because the system's buffers take the first responses. */
    @Test
    void clients_that_do_not_read_their_responses_do_not_fill_the_memory() throws Exception {
        try (var app = launch("-Xmx40m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError")) {
            String token = app.newToken();
            for (int i = 0; i < 200; i++) {
                app.send("POST", "/api/todos", token, "{\"name\":\"" + "\ud83d\ude00".repeat(200) + "\"}");
            }
            receiveBuffer = 4096;
            String list = "GET /api/todos?limit=200" + HEAD + "Authorization: Bearer " + token + "\r\n\r\n";
            join(app, 80, list.repeat(30));
            Load.await(() -> !app.printed("path=/api/todos status=503").isEmpty());
            assertUnharmed(app);
        }
    }

    /** A heap is full sooner than connections are refused, if each may take what its limits allow. */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void all_connections_at_once_find_room_whatever_they_send(int maxBodyBytes) throws Exception {
        String strings = IntStream.range(0, 19)
                .mapToObj(i -> "\"" + i + "\":\"" + "\u00e4\u00b8\u00ad".repeat(2000) + "\",")
                .collect(Collectors.joining("", "{", ""));
        String body = strings.substring(0, Math.min(strings.length(), maxBodyBytes - 100));
        String password = "{\"username\":\"nobody\",\"password\":\"" + "\u00e4\u00b8\u00ad".repeat(500) + "\"";
        String cookies = "Cookie: " + "x".repeat(33_000) + "\r\n";
        try (var app = launchImage(maxBodyBytes)) {
            for (String request : List.of(
                    login(password + " ".repeat(15_000) + "}"),
                    login(body, maxBodyBytes),
                    "POST /api/auth/login?" + "x".repeat(33_000) + HEAD + JSON + "100\r\n\r\n{",
                    "POST /api/auth/login" + HEAD + cookies + JSON + "100\r\n\r\n{",
                    "GET /health/live" + HEAD + "X: " + "x".repeat(200_000),
                    "GET /" + "x".repeat(220_000),
                    "GET /" + "x".repeat(220_000) + HEAD,
                    "GET /health/live" + HEAD + headers(5900),
                    "GET /health/live" + HEAD + headers(190) + "\r\n",
                    "GET /nothing" + HEAD + cookies + "\r\n")) {
                join(app, request.startsWith("POST") ? 1400 : 600, request);
                Load.await(() -> hasReadAll(app));
                leave();
                app.awaitReady(200);
            }
            assertUnharmed(app);
        }
    }

    private static String headers(int count) {
        return IntStream.range(0, count).mapToObj(i -> "a" + i + ":\r\n").collect(Collectors.joining());
    }

    /** Normalizing is quadratic in a run of combining marks, and virtual threads are not time-sliced. */
    @ParameterizedTest
    @MethodSource("bodyLimits")
    void a_password_of_combining_marks_stops_no_token_check(int maxBodyBytes) throws Exception {
        try (var app = launchImage(maxBodyBytes)) {
            String token = app.newToken();
            int marks = maxBodyBytes / 4 - 100;
            String password = "a" + "\u00cc\u0080".repeat(marks) + "\u00cc\u0096".repeat(marks);
            String request = login("{\"username\":\"nobody\",\"password\":\"" + password + "\"}");
            join(app, 50, request);
            for (int i = 0; i < 50; i++) {
                assertEquals(204, app.get("/api/auth/verify", token).status());
            }
            assertEquals(Set.of(400), readAll());
            assertUnharmed(app);
        }
    }

    /** All requests share one connection to Redis: what one user lists must not keep others from it. */
    @ParameterizedTest
    @ValueSource(strings = {"/api/todos?limit=200", "/api/todos?status=todo&limit=1", "/api/auth/sessions"})
    void a_crowd_that_lists_makes_no_token_check_fail(String path) throws Exception {
        try (var app = launch(IMAGE, "MAX_SESSIONS_PER_USER", "1000");
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
            int status;
            do {
                status = app.send("POST", "/api/todos", token, "{\"name\":\"" + "\ud83d\ude00".repeat(200) + "\"}")
                        .status();
            } while (status == 201);
            assertEquals(409, status);
            String checked = app.newToken();
            String request = "GET " + path + HEAD + "Authorization: Bearer " + token + "\r\n\r\n";
            join(app, 300, "");
            var done = new AtomicBoolean();
            Set<Integer> statuses = ConcurrentHashMap.newKeySet();
            List<Thread> threads = crowd.stream()
                    .map(socket -> Thread.startVirtualThread(() -> {
                        try {
                            while (!done.get()) {
                                socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
                                statuses.add(status(socket));
                            }
                        } catch (IOException _) {
                            statuses.add(0);
                        }
                    }))
                    .toList();
            for (int i = 0; i < 25; i++) {
                assertEquals(204, app.get("/api/auth/verify", checked).status());
            }
            done.set(true);
            threads.forEach(CrowdTest::join);
            assertTrue(statuses.contains(200) && Set.of(200, 503).containsAll(statuses), statuses::toString);
            assertUnharmed(app);
        }
    }

    /** Slowloris: each sends a header now and then, and never ends its request. */
    @Test
    void beside_2000_clients_that_never_finish_a_request_a_good_one_is_served() throws Exception {
        try (var app = launch("-Xmx350m -Dsun.net.httpserver.maxReqTime=60")) {
            join(app, 2000, "GET /health/live HTTP/1.1\r\n");
            for (int i = 0; i < 5; i++) {
                assertTrue(served(app));
                send("X-Slow: x\r\n");
            }
        }
    }

    @Test
    void as_many_connections_are_taken_as_there_may_be_open_files() throws Exception {
        try (var app = ServiceProcess.startWithOpenFiles(300, redis.url(), "JDK_JAVA_OPTIONS", "-Xmx200m")) {
            String token = app.newToken();
            join(app, 400, "GET /health/live" + HEAD + "\r\n");
            assertEquals(Set.of(0, 200), readAll(), "some are turned away");
            redis.restart();
            Socket first = crowd.getFirst();
            Load.await(() -> statusOf(first, "GET /health/ready" + HEAD + "\r\n") == 200);
            leave();
            assertFalse(token.isEmpty());
            app.stop();
        }
    }

    @Test
    void ten_thousand_idle_connections_are_kept_and_each_is_answered_again() throws Exception {
        var system = (UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        int count = (int) Math.min(10_000, system.getMaxFileDescriptorCount() - 1000);
        System.out.println("idle connections: " + count); // fewer where the machine allows fewer
        try (var app = launch(
                "-Xmx400m -Djdk.httpserver.maxConnections=11000 -Dsun.net.httpserver.maxIdleConnections=11000")) {
            join(app, count, "");
            for (int round = 0; round < 2; round++) {
                send("GET /health/live" + HEAD + "\r\n");
                assertEquals(Set.of(200), readAll());
                assertTrue(served(app));
            }
        }
    }
}
