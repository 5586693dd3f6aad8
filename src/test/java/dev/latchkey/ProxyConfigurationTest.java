package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.latchkey.testing.EchoServer;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ProxyProcess;
import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The configurations in scripts/examples, as they are shipped. Each proxy runs in front of Latchkey and of an
 * application that relies on {@code X-Auth-User} and {@code Remote-User}. {@code scripts/proxies} runs the load for
 * longer.
 */
@ParameterizedClass(name = "{0}")
@EnumSource
class ProxyConfigurationTest {
    private static final Path EXAMPLES = Path.of("scripts/examples");
    private static final Path DOCUMENT = Path.of("src/site/markdown/proxies.md");
    private static final int SECONDS = Integer.getInteger("proxies.seconds", 1);
    private static final int CLIENTS = 64;
    private static final byte[] NO_BODY = {};

    enum Proxy {
        NGINX(
                "nginx.conf",
                "nginx -e stderr -p . -c nginx.conf -g 'daemon off; master_process off; error_log stderr; pid nginx.pid;'"),
        CADDY("Caddyfile", "caddy run --config Caddyfile"),
        HAPROXY("haproxy.cfg", "haproxy -db -f haproxy.cfg");

        private static final String NGINX_PATHS = """

                http {
                    access_log access.log; client_body_temp_path bodies; proxy_temp_path proxied;
                    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                """;

        private final String file;
        private final String command;

        Proxy(String file, String command) {
            this.file = file;
            this.command = command;
        }

        /**
         * Returns the shipped configuration with other addresses and paths. The configuration of Caddy takes them from
         * the environment.
         */
        String configuration(int port, int latchkey, int app) throws IOException {
            String text = Files.readString(EXAMPLES.resolve(file));
            if (this == CADDY) {
                return text;
            }
            text = replaced(text, "127.0.0.1:8080", "127.0.0.1:" + latchkey);
            text = replaced(text, "127.0.0.1:3000", "127.0.0.1:" + app);
            if (this == NGINX) {
                text = replaced(text, "\nhttp {\n", NGINX_PATHS);
                return replaced(text, "listen 80;", "listen 127.0.0.1:" + port + ";");
            }
            text = replaced(text, "127.0.0.1:8081", "127.0.0.1:" + EmbeddedRedis.freePort());
            text = replaced(text, "/etc/haproxy/", "");
            return replaced(text, "bind :80\n", "bind 127.0.0.1:" + port + "\n");
        }

        /** Changes the configuration as the document says, so that preflights are not checked. */
        String exemptPreflights(String configuration) throws IOException {
            String exemption = switch (this) {
                case NGINX -> "if ($request_method = OPTIONS) { return 204; }";
                case CADDY -> "@checked not method OPTIONS";
                case HAPROXY -> "http-request allow if METH_OPTIONS";
            };
            assertTrue(Files.readString(DOCUMENT).contains("`" + exemption + "`"), exemption);
            String check = "http-request lua.latchkey_verify";
            return switch (this) {
                case NGINX -> replaced(configuration, "internal;", "internal;\n" + exemption);
                case CADDY -> replaced(configuration, "forward_auth ", exemption + "\nforward_auth @checked ");
                case HAPROXY -> replaced(configuration, check, exemption + "\n" + check);
            };
        }

        private static String replaced(String text, String old, String next) {
            assertTrue(text.contains(old), "The configuration does not contain " + old);
            return text.replace(old, next);
        }

        /** Starts the proxy with the shipped configuration. */
        ProxyProcess start(int port, int latchkey, int app) throws IOException {
            return start(configuration(port, latchkey, app), port, latchkey, app);
        }

        /** Starts the proxy and waits until it listens. */
        ProxyProcess start(String configuration, int port, int latchkey, int app) throws IOException {
            Path work = Files.createTempDirectory(folder, "proxy");
            Files.writeString(work.resolve(file), configuration);
            Files.copy(EXAMPLES.resolve("latchkey.lua"), work.resolve("latchkey.lua"));
            Map<String, String> environment = Map.of(
                    "SITE", "http://127.0.0.1:" + port,
                    "LATCHKEY", "127.0.0.1:" + latchkey,
                    "APP", "127.0.0.1:" + app,
                    "CADDY_ADMIN", "127.0.0.1:" + EmbeddedRedis.freePort());
            var process = ProxyProcess.launch(command, work, environment);
            process.awaitReady(() -> isListening(port));
            return process;
        }

        private static boolean isListening(int port) {
            try (var _ = new RawClient(port).open()) {
                return true;
            } catch (IOException _) {
                return false;
            }
        }
    }

    private static final List<String> METHODS = List.of("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS");

    /** Header lines with which a client tries to remove, replace or add an identity. */
    static final List<String> SPOOFS = List.of(
            "X-Request-Id: none",
            "X-Auth-User: root",
            "x-auth-user: root",
            "X-Auth-User:",
            "X-Auth-User: root\r\nX-Auth-User: root",
            "X_Auth_User: root",
            "X-Auth_User: root",
            "Connection: close, X-Auth-User",
            "Connection: x-auth-user\r\nConnection: close",
            "X-Auth-User: root\r\nConnection: close, X-Auth-User",
            "X-Auth-User: root\r\nX_Auth_User: root\r\nConnection: close, X-Auth-User, X_Auth_User",
            "Remote-User: root",
            "remote-user:",
            "X.Auth.User: root",
            "X+Auth+User: root",
            "X!Auth#User: root\r\nX$Auth%User: root\r\nX&Auth'User: root\r\nX*Auth^User: root\r\nX`Auth|User: root",
            "X-Auth~User: root\r\nRemote.User: root\r\nRemote~User: root\r\nRemote*User: root",
            "Remote_User: root",
            "Remote-User: root\r\nX-Auth-User: root\r\nConnection: close, Remote-User, X-Auth-User");

    /** The headers from which the application takes the username. */
    private static final List<String> IDENTITY = List.of("X-Auth-User", "Remote-User");

    @TempDir
    static Path folder;

    private static EmbeddedRedis redis;
    private static ServiceProcess latchkey;
    private static EchoServer app;
    private static String username;
    private static String authorization;
    private static ProxyProcess process;
    private static int port;

    @Parameter
    Proxy proxy = Proxy.NGINX;

    private RawClient client = new RawClient(port);

    @BeforeAll
    static void startServers() throws Exception {
        redis = EmbeddedRedis.start(Map.of("appendonly", "yes", "appendfsync", "always"));
        latchkey = ServiceProcess.start(redis.url(), "LOGIN_THROTTLE", "false", "REDIS_TIMEOUT_MS", "3000");
        app = new EchoServer();
        username = TestClient.newName();
        authorization = newToken();
    }

    @AfterAll
    static void stopServers() throws IOException {
        app.close();
        latchkey.close();
        redis.close();
    }

    @BeforeParameterizedClassInvocation
    static void startProxy(Proxy proxy) throws IOException {
        port = EmbeddedRedis.freePort();
        process = proxy.start(port, latchkey.port(), app.port());
    }

    @AfterParameterizedClassInvocation
    static void stopProxy() {
        if (process != null) { // The process is null if the first proxy is not installed.
            process.close();
        }
    }

    /** Returns a header line with a new token of the user. */
    private static String newToken() {
        return "Authorization: Bearer " + latchkey.newToken(username);
    }

    private String head(String line, String... fields) {
        String all = String.join("\r\n", fields) + "\r\n";
        String connection = all.contains("Connection:") ? "" : "Connection: close\r\n";
        return line + " HTTP/1.1\r\nHost: 127.0.0.1:" + client.port() + "\r\n" + all + connection + "\r\n";
    }

    private String send(String line, String... fields) throws IOException {
        return client.request(head(line, fields), NO_BODY);
    }

    /** Returns the values of a header of a response. */
    private static List<String> values(String response, String name) {
        return new EchoServer.Received(response.split("\r\n\r\n", 2)[0], "").values(name);
    }

    /** Asserts that the application gets the request with the user's name and no other name, and responds to it. */
    private EchoServer.Received assertPassed(String line, byte[] body, String... fields) throws IOException {
        int before = app.requests().size();
        String response = client.request(head(line, fields), body);
        String all = line + " " + List.of(fields) + "\n" + response;
        assertEquals(200, RawClient.status(response), all);
        assertEquals(before + 1, app.requests().size(), all);
        var received = app.requests().getLast();
        IDENTITY.forEach(name -> assertEquals(List.of(username), received.values(name), all + received.head()));
        String connection = String.join(",", received.values("Connection"));
        assertTrue(!connection.toLowerCase(Locale.ROOT).contains("user"), connection); // for a proxy in the application
        return received;
    }

    /** Waits until a request with a valid token is passed. Until then, every response must be a 503. */
    private void awaitPassed() {
        Load.await(() -> {
            try {
                int status = RawClient.status(send("GET /page", authorization));
                assertTrue(status == 200 || status == 503, "status " + status);
                return status == 200;
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    /** Asserts that the client gets the status code and that the request does not reach the application. */
    private String assertRefused(int status, String line, String... fields) throws IOException {
        int before = app.requests().size();
        String response = send(line, fields);
        String all = line + " " + List.of(fields) + "\n" + response;
        assertEquals(status, RawClient.status(response), all);
        assertEquals(before, app.requests().size(), all);
        return response;
    }

    @ParameterizedTest
    @FieldSource("SPOOFS")
    void a_request_without_a_valid_token_gets_401_and_does_not_reach_the_application(String spoof) throws IOException {
        for (String method : METHODS) {
            for (String credentials : List.of("Accept: */*", authorization + "x", "Authorization: Basic YTpi")) {
                String response = assertRefused(401, method + " /page", credentials, spoof);
                List<String> challenges = values(response, "WWW-Authenticate");
                assertEquals(1, challenges.size(), response);
                assertTrue(challenges.getFirst().startsWith("Bearer realm=\"latchkey\""), response);
            }
        }
    }

    @ParameterizedTest
    @FieldSource("SPOOFS")
    void the_application_gets_the_username_of_the_token_and_no_other(String spoof) throws IOException {
        for (String method : METHODS) {
            assertPassed(method + " /page", NO_BODY, authorization, spoof);
        }
    }

    @Test
    void two_tokens_do_not_pass() throws IOException {
        // nginx refuses two such headers itself.
        assertRefused(proxy == Proxy.NGINX ? 400 : 401, "GET /page", authorization, authorization);
    }

    @Test
    void a_token_does_not_pass_after_its_logout() throws IOException {
        String ended = newToken();
        assertPassed("GET /page", NO_BODY, ended);
        assertRefused(204, "POST /api/auth/logout", ended);
        assertRefused(401, "GET /page", ended);
    }

    @Test
    void thirty_kilobytes_of_cookies_reach_the_application() throws IOException {
        String cookies = "a=" + "x".repeat(30 << 10);
        // Except for Caddy, the proxies send only the token to Latchkey, whose limit for all headers is 34 KiB.
        String other = "X-Other: " + "x".repeat(proxy == Proxy.CADDY ? 0 : 10 << 10);
        var received = assertPassed("GET /page", NO_BODY, authorization, "Cookie: " + cookies, other);
        assertEquals(List.of(cookies), received.values("Cookie"));
    }

    @Test
    void headers_above_the_limit_of_latchkey_get_431() throws IOException {
        String line = "x".repeat(22 << 10);
        String response =
                assertRefused(431, "GET /api/auth/me", authorization, "X-First: " + line, "X-Second: " + line);
        boolean isFromLatchkey = response.contains("nosniff"); // Latchkey sends this header in every response.
        assertEquals(proxy != Proxy.CADDY, isFromLatchkey, response); // Caddy's limit is 32 KB.
    }

    @Test
    void any_query_reaches_the_application() throws IOException {
        for (String target : List.of("/page?a={b}|c^d", "/page?", "/page?a=%zz", "/?/api/auth/verify")) {
            var received = assertPassed("GET " + target, NO_BODY, authorization);
            assertTrue(received.head().startsWith("GET " + target + " HTTP/1.1\r\n"), received.head());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Accept: */*", "Expect: 100-continue"})
    void an_upload_of_five_megabytes_arrives_complete(String expect) throws IOException {
        var body = new byte[5 << 20];
        new Random(1).nextBytes(body);
        var received = assertPassed("POST /upload", body, authorization, "Content-Length: " + body.length, expect);
        assertArrayEquals(body, received.body().getBytes(StandardCharsets.ISO_8859_1));
    }

    @Test
    void a_login_that_expects_100_continue_succeeds() throws IOException {
        byte[] body = TestClient.credentials(username, TestClient.PASSWORD).getBytes(StandardCharsets.UTF_8);
        String login = head(
                "POST /api/auth/login",
                "Content-Type: application/json",
                "Content-Length: " + body.length,
                "Expect: 100-continue");
        String response = client.request(login, body);
        assertEquals(200, RawClient.status(response), response);
    }

    @ParameterizedTest
    @ValueSource(strings = {"Connection: Upgrade", "Connection: Upgrade, X-Auth-User", "Connection: upgrade, close"})
    void a_websocket_carries_bytes_in_both_directions(String connection) throws IOException {
        String handshake = head("GET /socket", authorization, connection, websocket("websocket"));
        var bytes = new byte[1 << 10];
        try (var socket = client.open()) {
            socket.getOutputStream().write(handshake.getBytes(StandardCharsets.ISO_8859_1));
            String response = RawClient.readHead(socket.getInputStream());
            assertEquals(101, RawClient.status(response), response);
            for (int i = 0; i < 20; i++) {
                new Random(i).nextBytes(bytes);
                socket.getOutputStream().write(bytes);
                assertArrayEquals(bytes, socket.getInputStream().readNBytes(bytes.length));
            }
        }
        var received = app.requests().getLast();
        IDENTITY.forEach(name -> assertEquals(List.of(username), received.values(name), received.head()));
        assertRefused(401, "GET /socket", "Connection: close, Upgrade", websocket("websocket"));
    }

    private static String websocket(String protocol) {
        return "Upgrade: " + protocol + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                + EchoServer.WEBSOCKET_KEY;
    }

    @Test
    void no_upgrade_except_to_websocket_reaches_the_application() throws IOException {
        String upgrade = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__";
        for (String connection : List.of("Upgrade, HTTP2-Settings, close", "Upgrade, close")) {
            var received = assertPassed("GET /page", NO_BODY, authorization, "Connection: " + connection, upgrade);
            assertEquals(List.of(), received.values("Upgrade"));
        }
        // The application is not asked for an upgrade to HTTP/2, whichever protocol is named first.
        for (String protocol : List.of("h2c\r\nUpgrade: websocket", "websocket\r\nUpgrade: h2c", "h2c, websocket")) {
            int before = app.requests().size();
            String handshake = head("GET /page", authorization, "Connection: Upgrade", websocket(protocol));
            try (var socket = client.open()) {
                socket.getOutputStream().write(handshake.getBytes(StandardCharsets.ISO_8859_1));
                String response = RawClient.readHead(socket.getInputStream());
                assertTrue(List.of(101, 200, 400).contains(RawClient.status(response)), response);
            }
            for (var received : app.requests().subList(before, app.requests().size())) {
                assertTrue(
                        List.of("", "websocket").contains(String.join(" ", received.values("Upgrade"))),
                        received.head());
            }
        }
    }

    @Test
    void while_redis_is_down_the_client_gets_503_and_never_401() throws IOException {
        redis.kill();
        try {
            for (int i = 0; i < 10; i++) {
                String response = assertRefused(503, "GET /page", authorization);
                assertEquals(List.of("1"), values(response, "Retry-After"), response);
            }
        } finally {
            redis.restart();
        }
        awaitPassed();
        assertPassed("GET /page", NO_BODY, authorization);
    }

    @Test
    void without_latchkey_no_request_reaches_the_application() throws IOException {
        client = new RawClient(EmbeddedRedis.freePort());
        try (var _ = proxy.start(client.port(), EmbeddedRedis.freePort(), app.port())) {
            assertRefused(proxy == Proxy.CADDY ? 502 : 503, "GET /page", authorization, "X-Auth-User: root");
        }
    }

    @Test
    void a_preflight_that_is_exempt_from_the_check_carries_no_identity() throws IOException {
        client = new RawClient(EmbeddedRedis.freePort());
        String configuration = proxy.configuration(client.port(), latchkey.port(), app.port());
        configuration = proxy.exemptPreflights(configuration);
        try (var _ = proxy.start(configuration, client.port(), latchkey.port(), app.port())) {
            awaitPassed(); // HAProxy does not use an instance that fails the first health check.
            for (String spoof : SPOOFS) {
                int before = app.requests().size();
                String response = send("OPTIONS /page", "Origin: https://example.com", spoof);
                assertEquals(200, RawClient.status(response), response);
                assertEquals(before + 1, app.requests().size());
                var received = app.requests().getLast();
                IDENTITY.forEach(name -> assertEquals("", String.join("", received.values(name)), received.head()));
                assertRefused(401, "GET /page", spoof);
            }
            assertPassed("GET /page", NO_BODY, authorization);
        }
    }

    /** Caddy 2.6 may open a kept connection for checks to the application. The load does not always show that. */
    @Test
    void caddy_opens_a_connection_for_every_check() throws IOException {
        assumeTrue(proxy == Proxy.CADDY, "The other proxies keep connections for checks.");
        client = new RawClient(EmbeddedRedis.freePort());
        try (var checks = new EchoServer();
                var _ = proxy.start(client.port(), checks.port(), app.port())) {
            for (int i = 1; i <= 3; i++) {
                send("GET /page");
                assertEquals(i, checks.connections());
            }
            assertEquals(3, checks.requests().size());
        }
    }

    @Test
    void clients_on_kept_connections_get_their_own_identity_and_no_failure() throws Exception {
        var connections = new AtomicInteger();
        var requests = new AtomicInteger();
        int loaded = EmbeddedRedis.freePort();
        try (var upstream = new EchoServer(false);
                var _ = proxy.start(loaded, latchkey.port(), upstream.port());
                var admin = new RedisAdmin(redis.url(), false);
                var clients = Executors.newVirtualThreadPerTaskExecutor()) {
            client = new RawClient(loaded);
            awaitPassed(); // HAProxy does not use an instance that fails the first health check.
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
            List<Future<Integer>> results = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                String user = TestClient.newName();
                String token = UUID.randomUUID().toString();
                admin.commands().set("tokens:" + token, user);
                results.add(clients.submit(() -> {
                    do {
                        connections.incrementAndGet();
                        requests.addAndGet(useConnection(user, token, end));
                    } while (System.nanoTime() < end);
                    return 0;
                }));
            }
            for (Future<Integer> result : results) {
                result.get(); // fails if a response is not as expected
            }
        }
        System.out.printf(
                "%s: %d clients, %d s, %d requests on %d connections, no failure%n",
                proxy, CLIENTS, SECONDS, requests.get(), connections.get());
    }

    /**
     * Sends at least eight requests on one connection, until the proxy announces that it will close the connection.
     * Every eighth token is not valid.
     *
     * @param end time as of {@link System#nanoTime}
     * @return the number of requests
     */
    private int useConnection(String user, String token, long end) throws IOException {
        try (var socket = client.open()) {
            var in = new BufferedInputStream(socket.getInputStream());
            int count = 0;
            while (count < 8 || System.nanoTime() < end) {
                boolean isValid = ++count % 8 != 0;
                String fields = "Authorization: Bearer " + token + (isValid ? "" : "0")
                        + "\r\nX-Auth-User: root\r\nRemote-User: root\r\nConnection: keep-alive";
                socket.getOutputStream().write(head("GET /page", fields).getBytes(StandardCharsets.ISO_8859_1));
                String response = RawClient.readHead(in);
                in.readNBytes(
                        Integer.parseInt(values(response, "Content-Length").getFirst()));
                assertEquals(isValid ? 200 : 401, RawClient.status(response), response);
                for (String name : isValid ? IDENTITY : List.<String>of()) {
                    assertEquals(List.of(user), values(response, "Received-" + name), response);
                }
                if (values(response, "Connection").contains("close")) {
                    break;
                }
            }
            return count;
        }
    }
}
