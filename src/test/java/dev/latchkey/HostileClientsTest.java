package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
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
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients that are slow, silent, or send malformed requests. The service is a process with a heap so small that any
 * data that clients could make it retain would end it. Its connection limit is so low that a leaked
 * connection is noticed.
 */
class HostileClientsTest {
    private static final int MAX_CONNECTIONS = 20;
    private static final int RECEIVE_BUFFER = 4096;
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.1 ([0-9]{3}) ");
    private static final Set<String> STATUSES = Set.of(
            "100", "200", "201", "204", "304", "400", "401", "404", "405", "409", "412", "413", "415", "501", "503",
            "505");
    // Another seed can find other errors.
    private static final long SEED = Long.getLong("fuzz.seed", 20260319);
    private static final String INSERTED = "\0\t\r\n :;,=%{}[]\"\\\u007f\u00ff";
    private static final int REQUESTS = Integer.getInteger("fuzz.requests", 1000);

    private static final String TOKEN = UUID.randomUUID().toString();

    private static EmbeddedRedis redis;
    private static ServiceProcess app;

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start();
        app = launch("-Xmx40m -Dsun.net.httpserver.maxReqTime=2 -Dsun.net.httpserver.maxRspTime=2"
                + " -Djdk.httpserver.maxConnections=" + MAX_CONNECTIONS);
        // A login could take longer than maxRspTime on a busy machine.
        redis.send("SET tokens:" + TOKEN + " alice");
    }

    private static ServiceProcess launch(String options) throws Exception {
        String[] settings = {
            "LOGIN_THROTTLE", "false",
            "TRUSTED_PROXY_HOPS", "1",
            "JDK_JAVA_OPTIONS", "-XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError " + options,
        };
        return ServiceProcess.start(redis.url(), settings);
    }

    @AfterEach
    void awaitAllConnectionsFree() {
        Load.await(() -> IntStream.range(0, 2 * MAX_CONNECTIONS).allMatch(_ -> isServed()));
    }

    @AfterAll
    static void stop() throws Exception {
        try (var _ = redis;
                var _ = app) {
            app.stop(); // asserts the exit code 0, which means that no request is in flight
            assertEquals(List.of(), app.printed(" ERROR "));
        }
    }

    private static boolean isServed() {
        String request = RawClient.head("GET /api/auth/verify", "Authorization: Bearer " + TOKEN);
        try {
            return RawClient.status(new RawClient(app.port()).exchange(request)) == 200;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Socket connect() throws IOException {
        return new RawClient(app.port()).open(RECEIVE_BUFFER);
    }

    private static void send(Socket socket, String text) {
        try {
            socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
        } catch (IOException _) {
            // The service closed the connection, which the test finds out by reading.
        }
    }

    @Test
    void a_client_that_does_not_complete_a_request_is_disconnected() throws Exception {
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
                socket.getInputStream().readAllBytes(); // times out, and fails the test, if the connection stays open
            } catch (SocketException _) {
                // The service reset the connection, which closes it too.
            }
        }
    }

    @Test
    void a_client_that_never_reads_its_responses_is_disconnected() throws Exception {
        String name = "\u00e4".repeat(200); // the responses must exceed the buffers between service and client
        for (int i = 0; i < 50; i++) {
            expect(201, app.createTodo(TOKEN, name));
        }
        String request = RawClient.head("GET /api/todos?limit=200", "Authorization: Bearer " + TOKEN);
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < MAX_CONNECTIONS; i++) {
            Socket socket = connect();
            sockets.add(socket);
            Thread.startVirtualThread(() -> send(socket, request.repeat(1000)));
        }
        assertFalse(isServed(), "the attackers must hold all connections");
        Load.await(HostileClientsTest::isServed);
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    /** The clients disconnect while the service is reading their request or sending the response. */
    @Test
    void a_client_that_disconnects_leaks_no_connection() throws Exception {
        for (String part : List.of(
                "",
                "GET /api",
                "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
                "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
                "GET /api/todos?limit=200 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN + "\r\n\r\n")) {
            for (int i = 0; i < MAX_CONNECTIONS; i++) {
                try (var socket = connect()) {
                    send(socket, part);
                    socket.setSoLinger(i % 2 == 0, 0); // every second client resets the connection
                }
            }
        }
    }

    @Test
    void random_bytes_get_an_expected_status_code_or_no_response() throws Exception {
        var random = new Random(SEED);
        for (int i = 0; i < REQUESTS; i++) {
            byte[] bytes = new byte[random.nextInt(2000)];
            random.nextBytes(bytes);
            assertHarmless(new String(bytes, StandardCharsets.ISO_8859_1));
        }
    }

    /** The requests are almost valid: in valid requests, a few bytes are changed, deleted, repeated or inserted. */
    @Test
    void mutated_requests_get_an_expected_status_code_or_no_response() throws Exception {
        var random = new Random(SEED);
        List<String> valid = validRequests();
        for (int i = 0; i < REQUESTS; i++) {
            assertHarmless(mutate(valid.get(random.nextInt(valid.size())), random));
        }
    }

    private void assertHarmless(String request) throws IOException {
        String response = new RawClient(app.port()).exchange(request);
        STATUS.matcher(response)
                .results()
                .forEach(line -> assertTrue(STATUSES.contains(line.group(1)), () -> line.group() + " for " + request));
    }

    private List<String> validRequests() {
        String bearer = " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN + "\r\n";
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

    private static String mutate(String request, Random random) {
        var text = new StringBuilder(request);
        for (int changes = 1 + random.nextInt(4); changes > 0 && !text.isEmpty(); changes--) {
            int at = random.nextInt(text.length());
            int end = Math.min(text.length(), at + 1 + random.nextInt(8));
            switch (random.nextInt(4)) {
                case 0 -> text.setCharAt(at, (char) random.nextInt(256));
                case 1 -> text.delete(at, end);
                case 2 -> text.insert(at, text.substring(at, end).repeat(1 + random.nextInt(20)));
                default -> text.insert(at, INSERTED.charAt(random.nextInt(INSERTED.length())));
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
    void a_control_character_in_a_header_never_causes_a_500(String header) throws Exception {
        String todo = "{\"name\":\"n\"}";
        for (char special : "\0\u0001\t\n\u000b\r\u001b\u007f\u0080\u009f\u00ff".toCharArray()) {
            for (String value : List.of(
                    special + "", special + "x", "x" + special, "Bearer " + TOKEN + special, special + "192.0.2.1")) {
                for (String line : List.of("GET /api/todos/x", "POST /api/todos", "POST /api/auth/logout")) {
                    assertHarmless(line + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\n" + header + ": " + value
                            + "\r\nContent-Type: application/json\r\nContent-Length: " + todo.length()
                            + "\r\n\r\n" + todo);
                }
            }
        }
    }

    @Test
    void oversized_and_pathological_bodies_are_rejected() {
        int limit = 16_384;
        for (String body : List.of(
                "[".repeat(limit),
                "{\"name\":" + "[".repeat(limit / 2),
                "{\"name\":".repeat(limit / 8),
                "{\"name\":" + "9".repeat(limit - 20) + "}",
                "{\"name\":1e" + "9".repeat(limit - 20) + "}",
                "{\"" + "n".repeat(limit - 20) + "\":1}",
                "{\"name\":\"" + "\\u0000".repeat(limit / 6 - 20) + "\"}",
                "{" + "\"name\":\"a\",".repeat(limit / 11 - 1) + "\"name\":\"b\"}")) {
            expect(400, app.send("POST", "/api/todos", TOKEN, body));
        }
        expect(413, app.send("POST", "/api/todos", TOKEN, " ".repeat(limit + 1)));
    }
}
