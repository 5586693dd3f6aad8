package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients that are slow, silent, or send what is no request. The service is a process with a heap so small that whatever
 * they could make it keep would end it, and with so few connections that each that leaked would be missed.
 */
class HostileClientsTest {
    private static final int SLOTS = 20;
    private static final int RECEIVE_BUFFER = 4096;
    private static final int DEADLINE_MILLIS = 20_000;
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.1 ([0-9]{3}) ");
    private static final Set<String> STATUSES = Set.of(
            "100", "200", "201", "204", "304", "400", "401", "404", "405", "409", "412", "413", "415", "501", "503",
            "505");
    // another seed finds what this one does not
    private static final long SEED = Long.getLong("fuzz.seed", 20260319);
    private static final String DAMAGE = "\0\t\r\n :;,=%{}[]\"\\\u007f\u00ff";
    private static final int REQUESTS = Integer.getInteger("fuzz.requests", 1000);

    private static EmbeddedRedis redis;
    private static ServiceProcess app;
    private static String token;

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start();
        app = launch("-Xmx40m -Dsun.net.httpserver.maxReqTime=2 -Dsun.net.httpserver.maxRspTime=2"
                + " -Djdk.httpserver.maxConnections=" + SLOTS);
        token = app.newToken();
    }

    private static ServiceProcess launch(String options) throws Exception {
        return ServiceProcess.start(
                redis.url(),
                "LOGIN_THROTTLE",
                "false",
                "TRUSTED_PROXY_HOPS",
                "1",
                "JDK_JAVA_OPTIONS",
                "-XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError " + options);
    }

    @AfterEach
    void all_connections_are_free_again() {
        Load.await(() -> IntStream.range(0, 2 * SLOTS).allMatch(_ -> served()));
    }

    @AfterAll
    static void stop() throws Exception {
        try (var _ = redis;
                var _ = app) {
            List<String> lines = app.stop(); // with exit code 0: no request is in flight any more
            assertEquals(
                    List.of(),
                    lines.stream().filter(line -> line.contains(" ERROR ")).toList());
        }
    }

    private static boolean served() {
        String request = "GET /api/auth/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n";
        try {
            return RawClient.status(new RawClient(app.port()).exchange(request)) == 204;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Socket connect() throws IOException {
        var socket = new Socket();
        socket.setReceiveBufferSize(RECEIVE_BUFFER);
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), app.port()));
        socket.setSoTimeout(DEADLINE_MILLIS);
        return socket;
    }

    private static void send(Socket socket, String text) {
        try {
            socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
        } catch (IOException _) {
            // disconnected, which is for the test to find out by reading
        }
    }

    @Test
    void who_does_not_finish_a_request_is_disconnected() throws Exception {
        String json = " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        List<Socket> sockets = new ArrayList<>();
        for (String part : List.of(
                "",
                "GET /api",
                "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                "GET /health/live HTTP/1.1\nHost: x\nX: bare line feeds\n\n",
                "POST /api/auth/login" + json + "Content-Length: 50\r\n\r\n{",
                "POST /api/auth/login" + json + "Transfer-Encoding: chunked\r\n\r\n5\r\n{",
                "POST /api/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")) {
            for (int i = 0; i < 2; i++) {
                sockets.add(connect());
                send(sockets.getLast(), part);
            }
        }
        for (Socket socket : sockets) {
            try (socket) {
                socket.getInputStream().readAllBytes(); // a timeout is the failure
            } catch (SocketException _) {
                // reset: closed too
            }
        }
    }

    @Test
    void who_never_reads_the_answers_is_disconnected() throws Exception {
        String name = "\u00e4".repeat(200); // long answers: more than the buffers between the two take
        for (int i = 0; i < 50; i++) {
            assertEquals(
                    201,
                    app.send("POST", "/api/todos", token, "{\"name\":\"" + name + "\"}")
                            .status());
        }
        String request = "GET /api/todos?limit=200 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n";
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < SLOTS; i++) {
            Socket socket = connect();
            sockets.add(socket);
            Thread.startVirtualThread(() -> send(socket, request.repeat(1000)));
        }
        assertFalse(served(), "they have all connections");
        Load.await(HostileClientsTest::served);
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    /** Each time it goes away in the midst of a request that the service has begun to read or to answer. */
    @Test
    void who_goes_away_leaves_nothing_behind() throws Exception {
        for (String part : List.of(
                "",
                "GET /api",
                "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
                "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
                "GET /api/todos?limit=200 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n")) {
            for (int i = 0; i < SLOTS; i++) {
                try (var socket = connect()) {
                    send(socket, part);
                    socket.setSoLinger(i % 2 == 0, 0); // every other one resets the connection
                }
            }
        }
    }

    @Test
    void random_bytes_get_a_known_answer_or_none() throws Exception {
        var random = new Random(SEED);
        for (int i = 0; i < REQUESTS; i++) {
            byte[] bytes = new byte[random.nextInt(2000)];
            random.nextBytes(bytes);
            assertHarmless(new String(bytes, StandardCharsets.ISO_8859_1));
        }
    }

    /** Requests that are almost good: of such that are, with a few bytes changed, lost, doubled or put in. */
    @Test
    void damaged_requests_get_a_known_answer_or_none() throws Exception {
        var random = new Random(SEED);
        List<String> good = goodRequests();
        for (int i = 0; i < REQUESTS; i++) {
            assertHarmless(damaged(good.get(random.nextInt(good.size())), random));
        }
    }

    private void assertHarmless(String request) throws IOException {
        String answer = new RawClient(app.port()).exchange(request);
        STATUS.matcher(answer)
                .results()
                .forEach(line -> assertTrue(STATUSES.contains(line.group(1)), () -> line.group() + " for " + request));
    }

    private List<String> goodRequests() {
        String bearer = " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n";
        String json = "Content-Type: application/json\r\n";
        String login = TestClient.credentials("nobody", TestClient.PASSWORD);
        String todo = "{\"name\":\"n\\u00e4\\\"\",\"status\":\"todo\"}";
        return List.of(
                "GET /health/ready HTTP/1.1\r\nHost: x\r\nX-Request-Id: a.b-c\r\n\r\n",
                "GET /api/auth/sessions" + bearer + "\r\n",
                "HEAD /api/todos?limit=5&status=in%20progress&after=x" + bearer + "\r\n",
                "POST /api/todos" + bearer + json + "Content-Length: " + todo.length() + "\r\n\r\n" + todo,
                "POST /api/todos" + bearer + json + "Transfer-Encoding: chunked\r\n\r\n"
                        + Integer.toHexString(todo.length()) + "\r\n" + todo + "\r\n0\r\n\r\n",
                "PATCH /api/todos/x" + bearer + json + "If-Match: \"a\", \"b\"\r\nContent-Length: " + todo.length()
                        + "\r\n\r\n" + todo,
                "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                        + "User-Agent: a\r\nX-Forwarded-For: 192.0.2.1, [2001:db8::1]:80\r\n" + json
                        + "Content-Length: " + login.length()
                        + "\r\n\r\n" + login,
                "OPTIONS /api/auth/password HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }

    private static String damaged(String request, Random random) {
        var text = new StringBuilder(request);
        for (int changes = 1 + random.nextInt(4); changes > 0 && !text.isEmpty(); changes--) {
            int at = random.nextInt(text.length());
            int end = Math.min(text.length(), at + 1 + random.nextInt(8));
            switch (random.nextInt(4)) {
                case 0 -> text.setCharAt(at, (char) random.nextInt(256));
                case 1 -> text.delete(at, end);
                case 2 -> text.insert(at, text.substring(at, end).repeat(1 + random.nextInt(20)));
                default -> text.insert(at, DAMAGE.charAt(random.nextInt(DAMAGE.length())));
            }
        }
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Authorization",
                "Connection",
                "Content-Encoding",
                "Content-Length",
                "Content-Type",
                "Expect",
                "Host",
                "If-Match",
                "If-None-Match",
                "Transfer-Encoding",
                "User-Agent",
                "X-Forwarded-For",
                "X-Request-Id"
            })
    void no_control_character_in_a_header_is_a_500(String header) throws Exception {
        String todo = "{\"name\":\"n\"}";
        for (char bad : "\0\u0001\t\n\u000b\r\u001b\u007f\u0080\u009f\u00ff".toCharArray()) {
            for (String value : List.of(bad + "", bad + "x", "x" + bad, "Bearer " + token + bad, bad + "192.0.2.1")) {
                for (String line : List.of("GET /api/todos/x", "POST /api/todos", "POST /api/auth/logout")) {
                    assertHarmless(line + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\n" + header + ": " + value
                            + "\r\nContent-Type: application/json\r\nContent-Length: " + todo.length()
                            + "\r\n\r\n" + todo);
                }
            }
        }
    }

    @Test
    void no_body_costs_more_than_the_cap_allows() {
        int cap = 16_384;
        for (String body : List.of(
                "[".repeat(cap),
                "{\"name\":" + "[".repeat(cap / 2),
                "{\"name\":".repeat(cap / 8),
                "{\"name\":" + "9".repeat(cap - 20) + "}",
                "{\"name\":1e" + "9".repeat(cap - 20) + "}",
                "{\"" + "n".repeat(cap - 20) + "\":1}",
                "{\"name\":\"" + "\\u0000".repeat(cap / 6 - 20) + "\"}",
                "{" + "\"name\":\"a\",".repeat(cap / 11 - 1) + "\"name\":\"b\"}")) {
            assertEquals(400, app.send("POST", "/api/todos", token, body).status());
        }
        assertEquals(
                413, app.send("POST", "/api/todos", token, " ".repeat(cap + 1)).status());
    }
}
