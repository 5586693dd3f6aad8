package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ProxyProcess;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Scanner;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * An attack on all clients behind the same proxy: a client sends a request that the proxy passes on but the service
 * does not accept. If the service closed the connection without a response, nginx would consider the instance failed.
 * After one such request per instance, nginx would respond to every client with 502 for 10 s.
 */
@ParameterizedClass(name = "{0}")
@FieldSource("PROXIES")
class ProxyTest {
    /**
     * The proxies, each as a command and its configuration. All settings have their defaults, except that each proxy
     * uses only its own folder and port, and that nginx accepts large bodies.
     */
    static final List<Arguments> PROXIES = List.of(
            Arguments.of("nginx -e stderr -p . -c proxy.conf", """
            daemon off; master_process off; pid nginx.pid; error_log stderr; events {}
            http {
                access_log off; client_max_body_size 20m; client_body_temp_path bodies; proxy_temp_path proxied;
                fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                upstream latchkey { server 127.0.0.1:%2$d; server 127.0.0.1:%3$d; }
                server { listen 127.0.0.1:%1$d; location / { proxy_pass http://latchkey; } }
            }
            """),
            Arguments.of("caddy run --adapter caddyfile --config proxy.conf", """
            {
                admin off
                auto_https off
            }
            http://127.0.0.1:%d {
                bind 127.0.0.1
                reverse_proxy 127.0.0.1:%d 127.0.0.1:%d
            }
            """),
            Arguments.of("haproxy -db -f proxy.conf", """
            listen latchkey
                mode http
                bind 127.0.0.1:%d
                server first 127.0.0.1:%d
                server second 127.0.0.1:%d
            """));

    private static final int REPETITIONS = 20;
    private static final byte[] BODY = new byte[15 << 20];
    private static EmbeddedRedis redis;
    private static List<ServiceProcess> instances;
    private static String token;

    private final String command;
    private final String configuration;
    private ProxyProcess proxy;
    private int port;

    ProxyTest(String command, String configuration) {
        this.command = command;
        this.configuration = configuration;
    }

    @BeforeAll
    static void startInstances() throws Exception {
        redis = EmbeddedRedis.start();
        instances = List.of(ServiceProcess.launch(redis.url()), ServiceProcess.launch(redis.url()));
        for (ServiceProcess instance : instances) {
            instance.awaitReady(200);
        }
        token = instances.getFirst().newToken();
    }

    @AfterAll
    static void stopInstances() throws IOException {
        instances.forEach(ServiceProcess::close);
        redis.close();
    }

    @BeforeEach
    void startProxy(@TempDir Path folder) throws IOException {
        port = EmbeddedRedis.freePort();
        int[] ports = instances.stream().mapToInt(TestClient::port).toArray();
        Files.writeString(folder.resolve("proxy.conf"), configuration.formatted(port, ports[0], ports[1]));
        proxy = ProxyProcess.launch(command, folder);
        proxy.awaitReady(() -> exchange(head("GET /health/ready", ""), 0).equals("200"));
    }

    @AfterEach
    void stopProxy() {
        if (proxy != null) { // The proxy is null if it is not installed.
            proxy.close();
        }
    }

    private static String head(String line, String fields) {
        return line + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + "\r\n";
    }

    private static String tokenCheck(String fields) {
        return head("GET /api/auth/verify", "Authorization: Bearer " + token + "\r\n" + fields);
    }

    /**
     * Sends a request and returns the status code, followed by "by the proxy" if the response does not come from
     * Latchkey. Sending may fail, because the response can arrive before the proxy has received the whole body.
     */
    private String exchange(String head, int bodyBytes) {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(30_000);
            Thread.startVirtualThread(new FutureTask<>(() -> {
                socket.getOutputStream().write(head.getBytes(StandardCharsets.ISO_8859_1));
                socket.getOutputStream().write(BODY, 0, bodyBytes);
                return bodyBytes;
            }));
            var in = new Scanner(socket.getInputStream(), StandardCharsets.ISO_8859_1).useDelimiter("\r\n\r\n");
            String text = in.hasNext() ? in.next() : "";
            boolean isFromLatchkey = text.contains("nosniff"); // Latchkey sends this header in every response.
            return RawClient.status(text) + (isFromLatchkey ? "" : " by the proxy");
        } catch (IOException _) {
            return "no connection";
        }
    }

    /** @param expected a regular expression for the result of {@link #exchange} */
    private void assertResponses(int repetitions, String expected, String head, int bodyBytes) throws IOException {
        List<String> responses = Stream.generate(() -> exchange(head, bodyBytes))
                .limit(repetitions)
                .toList();
        boolean allMatch = responses.stream().allMatch(response -> response.matches(expected));
        assertTrue(allMatch, "Expected " + expected + ", got " + responses + "\n" + proxy.log());
    }

    /** Asserts that the responses are as expected, and that the proxy still uses each instance afterwards. */
    private void assertHarmless(int repetitions, String expected, String head, int bodyBytes) throws IOException {
        assertResponses(repetitions, expected, head, bodyBytes);
        String id = TestClient.newName();
        assertResponses(REPETITIONS, "200", tokenCheck("X-Request-Id: " + id + "\r\n"), 0);
        // Each instance has received some of these requests, so the proxy considers no instance failed.
        Load.await(() ->
                instances.stream().noneMatch(instance -> instance.printed(id).isEmpty()));
    }

    private static String headers(int count, int valueLength) {
        return IntStream.range(0, count)
                .mapToObj(i -> "X-" + i + ": " + "x".repeat(valueLength) + "\r\n")
                .collect(Collectors.joining());
    }

    @ParameterizedTest
    @CsvSource({"/api/auth/login, 413", "/nothing, 404", "/api/todos, 401"})
    void a_body_of_any_size_gets_a_response_from_latchkey(String path, String status) throws IOException {
        for (int megabytes : new int[] {2, 5, 15}) {
            int bytes = megabytes << 20;
            String fields = "Content-Type: application/json\r\nContent-Length: " + bytes + "\r\n";
            assertHarmless(megabytes == 2 ? REPETITIONS : REPETITIONS / 4, status, head("POST " + path, fields), bytes);
        }
    }

    @Test
    void headers_that_the_proxy_passes_on_get_a_response_from_latchkey() throws IOException {
        // HAProxy itself refuses a head that exceeds its buffer of 16 KiB or has more than 101 headers.
        String refused = command.startsWith("haproxy") ? "|(400|431) by the proxy" : "";
        assertHarmless(REPETITIONS, "200", tokenCheck(headers(65, 0)), 0);
        assertHarmless(
                REPETITIONS, "200" + refused, tokenCheck(("Cookie: a=" + "x".repeat(7168) + "\r\n").repeat(3)), 0);
        assertHarmless(REPETITIONS, "200" + refused, tokenCheck(headers(190, 160)), 0); // 32 KiB
        assertHarmless(REPETITIONS, "431" + refused, tokenCheck(headers(250, 0)), 0);
        assertHarmless(REPETITIONS, "431" + refused, tokenCheck(headers(900, 20)), 0); // 30 KiB
    }
}
