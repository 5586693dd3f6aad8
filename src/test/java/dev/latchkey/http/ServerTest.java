package dev.latchkey.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.latchkey.logging.Logs;
import dev.latchkey.metrics.Registry;
import dev.latchkey.testing.RawClient;
import java.io.FileDescriptor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests the server with handlers and clients that misbehave. */
class ServerTest {
    /** A filter that wrongly lets every request pass without a caller. */
    private static final class NoCaller extends Authentication {
        @Override
        public String description() {
            return "continues without a caller";
        }

        @Override
        public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
            chain.doFilter(exchange);
        }
    }

    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);
    private Server server;
    private RawClient raw;

    @BeforeEach
    void start() throws IOException {
        List<Route> routes = List.of(
                new Route.Open("GET", "/ok", _ -> Response.json(200, List.of())),
                new Route.Open("GET", "/exception", _ -> {
                    throw new IllegalStateException("secret detail");
                }),
                new Route.Open("GET", "/error", _ -> {
                    throw new StackOverflowError("secret detail");
                }),
                new Route.Open("GET", "/assertion", _ -> {
                    throw new AssertionError("secret detail");
                }),
                new Route.Open("GET", "/header", _ -> Response.NO_CONTENT.withHeader("X", "a\r\nSet-Cookie: b")),
                new Route.Open("GET", "/known", _ -> {
                    throw new UnsupportedOperationException();
                }),
                new Route.Open("GET", "/slow", _ -> {
                    entered.countDown();
                    await(released);
                    return Response.json(200, List.of());
                }),
                new Route.Guarded("GET", "/guarded", (_, caller) -> Response.json(200, caller.username())));
        server = Server.start(
                new HttpSettings(
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), null, 100, 0, Cors.of(""), false),
                routes,
                NoCaller::new,
                e -> e instanceof UnsupportedOperationException
                        ? Problem.unavailable(ErrorCode.OVERLOADED, "known", 1)
                        : e instanceof Problem problem ? problem : null,
                new Logs(FileDescriptor.out),
                new Registry());
        raw = new RawClient(server.port());
    }

    @AfterEach
    void stop() {
        released.countDown();
        // The JDK's own count of requests would wait for exchanges that ended without a response.
        assertTimeoutPreemptively(Duration.ofSeconds(10), () -> server.stop(Duration.ZERO, Duration.ofSeconds(20)));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String get(String path) {
        return "GET " + path + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: id-1\r\n\r\n";
    }

    @ParameterizedTest
    @ValueSource(strings = {"/exception", "/error", "/assertion", "/header", "/guarded"})
    void an_unexpected_exception_gets_a_500_without_details_and_keeps_the_connection_open(String path)
            throws IOException {
        String response = raw.exchange(get(path) + get("/ok"));
        assertEquals(500, RawClient.status(response), response);
        assertEquals(2, RawClient.answers(response), response);
        assertTrue(response.contains("id-1"), response);
        for (String detail : List.of("secret", "Exception", "java", "Set-Cookie")) {
            assertFalse(response.contains(detail), response);
        }
    }

    @Test
    void an_exception_that_the_application_knows_gets_its_own_response() throws IOException {
        String response = raw.exchange(get("/known"));
        assertEquals(503, RawClient.status(response));
        assertTrue(response.contains("Retry-after: 1"), response);
    }

    @Test
    void a_guarded_handler_does_not_run_without_a_caller() throws IOException {
        assertFalse(raw.exchange(get("/guarded")).contains("200"));
    }

    @Test
    void a_graceful_stop_sends_connection_close_then_rejects_connections_and_finishes_requests_in_flight()
            throws Exception {
        var response = new FutureTask<>(() -> raw.exchange(get("/slow")));
        Thread.startVirtualThread(response);
        await(entered);
        var stopped = new FutureTask<>(() -> server.stop(Duration.ofSeconds(1), Duration.ofSeconds(20)));
        Thread.startVirtualThread(stopped);
        // During the lame-duck period, every response closes its connection, so that clients switch to other instances.
        while (!raw.exchange(get("/ok")).contains("Connection: close")) {
            assertFalse(stopped.isDone());
        }
        while (!raw.exchange(get("/ok")).isEmpty()) {
            assertFalse(stopped.isDone());
        }
        released.countDown();
        assertTrue(stopped.get());
        assertEquals(200, RawClient.status(response.get()), response.get());
    }

    @Test
    void a_request_that_takes_longer_than_the_grace_period_is_cut_off() throws Exception {
        var response = new FutureTask<>(() -> raw.exchange(get("/slow")));
        Thread.startVirtualThread(response);
        await(entered);
        assertFalse(server.stop(Duration.ZERO, Duration.ofMillis(100)));
        assertEquals(0, RawClient.status(response.get()));
    }

    @Test
    void stopping_does_not_wait_for_clients_that_have_disconnected() throws Exception {
        for (int i = 0; i < 20; i++) {
            try (var socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
                socket.getOutputStream()
                        .write("POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"
                                .getBytes(StandardCharsets.US_ASCII));
            }
        }
        assertEquals(200, RawClient.status(raw.exchange(get("/ok"))));
    }

    /** The JDK's server waits for the rest of a request body that may never come. */
    @Test
    void stopping_does_not_wait_for_request_bodies_that_were_not_read() throws Exception {
        for (String methodAndPath : List.of("GET /ok", "HEAD /ok", "OPTIONS /ok")) {
            var socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
            socket.getOutputStream()
                    .write((methodAndPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            assertEquals(
                    'H',
                    socket.getInputStream().read(),
                    "The response is sent immediately, and the connection stays open.");
        }
        // The grace period is shorter than the time that a request may take.
        assertTrue(server.stop(Duration.ZERO, Duration.ofSeconds(5)));
    }

    /** Otherwise clients that do not read could keep Prometheus out, and each of them keeps its response in memory. */
    @Test
    void the_newest_request_to_the_metrics_port_takes_the_place_of_the_oldest_that_waits_for_its_client()
            throws Exception {
        byte[] large = new byte[16 << 20]; // more than the operating system keeps for a client
        HttpServer metrics = Server.startMetrics(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                Map.of("/large", () -> Response.shared(Map.of(), large), "/ok", () -> Response.NO_CONTENT));
        var client = new RawClient(metrics.getAddress().getPort());
        List<Socket> stalled = new ArrayList<>();
        try {
            for (int i = 0; i < 2 * ServerLimits.METRICS_ARRIVALS; i++) {
                Socket socket = client.open();
                stalled.add(socket);
                socket.getOutputStream().write(get("/large").getBytes(StandardCharsets.US_ASCII));
                assertEquals('H', socket.getInputStream().read(), "the response has started");
            }
            assertEquals(204, RawClient.status(client.exchange(get("/ok"))));
        } finally {
            for (Socket socket : stalled) {
                socket.close();
            }
            metrics.stop(0);
        }
    }

    @Test
    void every_limit_is_set_before_the_jdk_reads_it() {
        assertEquals("30", System.getProperty("sun.net.httpserver.maxReqTime"));
        assertEquals("30", System.getProperty("sun.net.httpserver.maxRspTime"));
        String connections =
                Integer.toString(ServerLimits.ofThisProcess(100, false).connections());
        assertEquals(connections, System.getProperty("jdk.httpserver.maxConnections"));
        assertEquals(connections, System.getProperty("sun.net.httpserver.maxIdleConnections"));
        assertEquals("true", System.getProperty("sun.net.httpserver.nodelay"));
    }

    @Test
    void the_number_of_connections_follows_from_the_heap_the_body_limit_and_the_open_files() {
        long heap = 64 << 20;
        assertEquals(409, ServerLimits.of(heap, 20_000, 16_384, false).connections());
        assertEquals(315, ServerLimits.of(heap, 20_000, 1_048_576, false).connections());
        assertEquals(100, ServerLimits.of(heap, 200, 16_384, false).connections());
        assertEquals(1, ServerLimits.of(heap, 90, 16_384, false).connections());
        assertEquals(367, ServerLimits.of(heap, 20_000, 16_384, true).connections());
        assertEquals(50, ServerLimits.of(heap, 200, 16_384, true).connections());
        assertEquals(
                10_000,
                ServerLimits.of(heap << 6, Long.MAX_VALUE, 16_384, false).connections());
    }
}
