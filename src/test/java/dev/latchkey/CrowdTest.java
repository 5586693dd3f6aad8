package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.latchkey.http.RawClient;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** More connections than anyone needs. */
class CrowdTest {
    private static final int DEADLINE_MILLIS = 20_000;

    private final List<Socket> crowd = new ArrayList<>();
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

    private Service launch(String options) throws Exception {
        return Service.start(
                redis.url(), "JDK_JAVA_OPTIONS", "-XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError " + options);
    }

    private void join(Service app, int count, String sent) throws IOException {
        for (int i = 0; i < count; i++) {
            var socket = new Socket(InetAddress.getLoopbackAddress(), app.port());
            socket.setSoTimeout(DEADLINE_MILLIS);
            crowd.add(socket);
        }
        send(sent);
    }

    private void send(String text) throws IOException {
        for (Socket socket : crowd) {
            try {
                socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
            } catch (SocketException _) {
                // turned away
            }
        }
    }

    private void leave() throws IOException {
        for (Socket socket : crowd) {
            socket.close();
        }
        crowd.clear();
    }

    private static boolean served(Service app) throws IOException {
        return RawClient.status(new RawClient(app.port()).exchange("GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"))
                == 200;
    }

    /** Slowloris: each sends a header now and then, and never ends its request. */
    @Test
    void beside_2000_clients_that_never_finish_a_request_a_good_one_is_served() throws Exception {
        try (var app = launch("-Xmx160m -Dsun.net.httpserver.maxReqTime=60")) {
            join(app, 2000, "GET /health/live HTTP/1.1\r\nHost: x\r\n");
            for (int i = 0; i < 20; i++) {
                assertTrue(served(app));
                send("X-Slow: x\r\n");
            }
        }
    }

    @Test
    void as_many_connections_are_taken_as_the_heap_can_hold() throws Exception {
        try (var app = launch("-Xmx40m")) {
            join(
                    app,
                    5000,
                    "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\nX: " + "x".repeat(10_000)
                            + "\r\n\r\n");
            leave();
            app.awaitReady(200);
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
                send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
                for (Socket socket : crowd) {
                    assertTrue(answer(socket).startsWith("HTTP/1.1 200"));
                }
                assertTrue(served(app));
            }
        }
    }

    private static String answer(Socket socket) throws IOException {
        byte[] buffer = new byte[1000];
        int length = 0;
        while (length == 0 || buffer[length - 1] != '}') {
            int read = socket.getInputStream().read(buffer, length, buffer.length - length);
            assertTrue(read > 0, "the connection is closed");
            length += read;
        }
        return new String(buffer, 0, length, StandardCharsets.US_ASCII);
    }
}
