package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestApp;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests the process from outside: its exit codes, its output and how it stops. */
class MainTest {
    private static String output(Process process, int exitCode) throws Exception {
        // If the process kept running, reading its output would never end.
        var _ = process.onExit().orTimeout(30, TimeUnit.SECONDS).whenComplete((_, _) -> process.destroyForcibly());
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(exitCode, process.waitFor(), output);
        return output;
    }

    /** Returns what a health check prints. */
    private static String health(int exitCode, String... settings) throws Exception {
        return output(ServiceProcess.java(List.of("--health"), settings), exitCode)
                .strip();
    }

    @ParameterizedTest
    @CsvSource({
        "PORT, 80 80, 'PORT must be a whole number from 0 to 65535, not ''80 80'''",
        "PORT, 99999, 'PORT must be a whole number from 0 to 65535, not ''99999'''",
        "HOST, http://x, 'HOST must be an address or host name of this machine, such as 0.0.0.0, not ''http://x'''"
    })
    void a_health_check_reports_an_invalid_address_and_exits_with_2(String name, String value, String message)
            throws Exception {
        String output = health(2, name, value);
        assertEquals("latchkey: " + message, output);
    }

    @ParameterizedTest
    @CsvSource({"127.0.0.2, 127.0.0.2", "::1, 0:0:0:0:0:0:0:1", "0.0.0.0, 127.0.0.1"})
    void a_health_check_asks_the_address_that_the_service_listens_on(String host, String asked) throws Exception {
        String port = Integer.toString(EmbeddedRedis.freePort());
        String url = "latchkey: http://" + (asked.contains(":") ? "[" + asked + "]" : asked) + ":" + port;
        String output = health(1, "PORT", port, "HOST", host);
        assertEquals(url + "/health/ready does not respond: Connection refused", output);
        try (var _ = TestApp.startOn("redis://127.0.0.1:1", "PORT", port, "HOST", host)) {
            output = health(1, "PORT", port, "HOST", host);
            assertEquals(url + "/health/ready is 503: {\"status\":\"down\",\"redis\":\"disconnected\"}", output);
        }
    }

    @Test
    void a_health_check_of_a_service_that_hangs_fails() throws Exception {
        try (var silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String port = Integer.toString(silent.getLocalPort());
            String output = health(1, "PORT", port);
            assertEquals(
                    "latchkey: http://127.0.0.1:" + port + "/health/ready does not respond: Read timed out", output);
        }
    }

    /** Returns what a health check prints after the URL if the service sends the bytes and closes the connection. */
    private static String healthOf(String response) throws Exception {
        try (var other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread.startVirtualThread(new FutureTask<>(() -> {
                while (true) {
                    try (var client = other.accept()) {
                        client.getInputStream().read(new byte[1024]);
                        client.getOutputStream().write(response.getBytes(StandardCharsets.US_ASCII));
                    }
                }
            }));
            String port = Integer.toString(other.getLocalPort());
            String start = "latchkey: http://127.0.0.1:" + port + "/health/ready ";
            String output = health(1, "PORT", port);
            assertTrue(output.startsWith(start), output);
            return output.substring(start.length());
        }
    }

    /** Another program may have the port. */
    @ParameterizedTest
    @CsvSource({"HTTP/1.1 204 No Content, is 204:", "garbage, is -1:"})
    void a_health_check_of_another_program_fails_with_one_line(String response, String reason) throws Exception {
        assertEquals(reason, healthOf(response + "\r\n\r\n"));
    }

    @Test
    void a_health_check_prints_nothing_that_controls_the_terminal() throws Exception {
        assertEquals("is 500: ?[2J", healthOf("HTTP/1.1 500 x\r\nContent-Length: 4\r\n\r\n\u001b[2J"));
    }

    @Test
    void unknown_arguments_are_an_error_and_help_prints_the_usage() throws Exception {
        for (var arguments : List.of(
                List.of("--healthy"),
                List.of("run"),
                List.of("--health", "--version"),
                List.of(""),
                List.of("user list"),
                List.of("--version", "x"))) {
            String output = output(ServiceProcess.java(arguments), 2);
            assertTrue(output.startsWith("latchkey: unknown argument"), output);
            assertTrue(output.contains("usage: "), output);
        }
        String help = output(ServiceProcess.java(List.of("--help")), 0);
        assertTrue(help.startsWith("usage: ") && help.contains("latchkey user set-password NAME"), help);
    }

    /** Otherwise the process would keep running without the thread, or exit with 0, which means a normal stop. */
    @Test
    void after_an_uncaught_error_on_a_platform_thread_the_process_exits_with_1() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            var command = List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-cp",
                    System.getProperty("java.class.path"),
                    UncaughtMain.class.getName());
            var builder = new ProcessBuilder(command).redirectErrorStream(true);
            builder.environment().putAll(Map.of("PORT", "0", "REDIS_URL", redis.url()));
            String output = output(builder.start(), 1);
            assertTrue(output.contains("ERROR latchkey.main uncaught error in HTTP-Dispatcher"), output);
            assertTrue(output.contains("OutOfMemoryError"), output);
        }
    }

    /** Runs the service and a platform thread that fails as the JDK's dispatcher thread does if the heap is full. */
    static final class UncaughtMain {
        public static void main(String[] arguments) {
            Main.main(new String[0]);
            Thread.ofPlatform().name("HTTP-Dispatcher").start(() -> {
                throw new OutOfMemoryError("test");
            });
        }
    }

    @Test
    void a_port_in_use_is_reported_in_one_line_and_the_process_exits_with_1() throws Exception {
        try (var taken = new ServerSocket(0);
                var redis = EmbeddedRedis.start()) {
            String port = Integer.toString(taken.getLocalPort());
            String[] settings = {"REDIS_URL", redis.url(), "PORT", port};
            String output = output(ServiceProcess.java(List.of(), settings), 1);
            assertTrue(output.contains("cannot listen on port " + port + ": "), output);
            assertTrue(output.endsWith(". Set PORT or HOST.\n"), output);
            assertEquals(1, output.lines().count(), output);
            String[] withMetrics = {"REDIS_URL", redis.url(), "PORT", "0", "METRICS_PORT", port};
            String metrics = output(ServiceProcess.java(List.of(), withMetrics), 1);
            assertTrue(metrics.contains("cannot listen on port " + port + ": "), metrics);
            assertTrue(metrics.endsWith(". Set METRICS_PORT or HOST.\n"), metrics);
        }
    }

    @Test
    void a_signal_stops_the_process_normally_and_its_log_contains_no_secret() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var service = ServiceProcess.start(redis.url())) {
            String port = Integer.toString(service.port());
            health(0, "PORT", port);
            health(0, "PORT", " " + port + " "); // trimmed, as the service does it

            var raw = new RawClient(service.port());
            String token = "d6ad7dae-c147-4513-a58b-2a2516cff3b7";
            raw.exchange(RawClient.head("G\u001b[31mT /api/auth/me?token=" + token, "X-Request-Id: id-1"));
            raw.exchange(RawClient.head("GET /api/auth/me", "Authorization: Bearer " + token, "X-Request-Id: id-2"));
            String log = String.join("\n", service.stop());
            assertTrue(log.lines().findFirst().orElseThrow().contains("latchkey.main listening port=" + port), log);
            String line =
                    "(?s).* INFO latchkey\\.access request method=%s path=/api/auth/me status=%d micros=\\d+ address=127.0.0.1 requestId=%s\n.*";
            assertTrue(log.matches(line.formatted("\\S+", 405, "id-1")), log);
            assertTrue(log.matches(line.formatted("GET", 401, "id-2")), log);
            assertFalse(log.contains(token) || log.contains("\u001b") || log.contains("SLF4J"), log);
            health(1, "PORT", port);
        }
    }
}
