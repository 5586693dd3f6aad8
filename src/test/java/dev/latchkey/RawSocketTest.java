package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.RawClient;
import dev.latchkey.testing.TestApp;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.logging.Logger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Malformed or unusual requests that the JDK's server passes on to Latchkey, and the responses to them. */
class RawSocketTest {
    @AutoClose
    private static TestApp app;

    private static RawClient raw;
    private static String token;

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start();
        raw = new RawClient(app.port());
        token = app.newToken();
    }

    /**
     * For the JDK's parser, a chunk size of 2^32 or an empty chunk size ends the body. The parser then treats the bytes
     * after it as a new request.
     */
    @ParameterizedTest
    @ValueSource(strings = {"100000000", "200000000", "", ";x", "ffffffff", "-1", "xyz", "7fffffff"})
    void no_request_can_be_smuggled_behind_an_invalid_chunk_size(String size) throws IOException {
        for (String path : new String[] {"/api/auth/login", "/api/auth/verify", "/health/live", "/nothing"}) {
            String response = raw.exchangeLines("""
                    POST %s HTTP/1.1
                    Host: x
                    Content-Type: application/json
                    Transfer-Encoding: chunked

                    %s
                    GET /health/live HTTP/1.1
                    Host: smuggled
                    X-Request-Id: smuggled

                    """.formatted(path, size));
            assertTrue(RawClient.answers(response) <= 1, response);
            assertFalse(response.contains("smuggled"), response);
        }
    }

    @Test
    void the_connection_closes_after_a_chunked_request() throws IOException {
        String response = raw.exchangeLines("""
                POST /api/todos HTTP/1.1
                Host: x
                Authorization: Bearer %s
                Content-Type: application/json
                Transfer-Encoding: chunked

                c
                {"name":"n"}
                0

                GET /health/live HTTP/1.1
                Host: x

                """.formatted(token));
        assertEquals(201, RawClient.status(response));
        assertEquals(1, RawClient.answers(response));
        assertTrue(response.toLowerCase(Locale.ROOT).contains("connection: close"), response);
    }

    /** A parser that reads "-0" as 0 treats the body as a separate request. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "Content-Length: 58\nContent-Length: 58",
                "Content-Length: 58\nTransfer-Encoding: chunked",
                "Content-Length: 58, 58",
                "Content-Length: 58 58",
                "Content-Length: +58",
                "Content-Length: -58",
                "Content-Length: -0",
                "Content-Length: 0x4",
                "Content-Length: 5e1",
                "Content-Length: \u00b2",
                "Transfer-Encoding: gzip, chunked",
                "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
                "Transfer-Encoding: xchunked"
            })
    void ambiguous_framing_closes_the_connection(String framing) throws IOException {
        String request = RawClient.head("POST /api/auth/login", framing.replace("\n", "\r\n"));
        String response = raw.exchange(request + RawClient.head("GET /health/live"));
        assertEquals(framing.startsWith("Transfer-Encoding") ? 501 : 400, RawClient.status(response), response);
        assertEquals(1, RawClient.answers(response));
        assertTrue(response.contains("Connection: close"), response);
    }

    /**
     * A proxy passes trailer fields on. If the service then closes the connection without a response, the proxy
     * considers the instance failed.
     */
    @ParameterizedTest
    @ValueSource(strings = {"2\r\n{}\r\n0\r\nT: x\r\n\r\n", "zz\r\n{}\r\n0\r\n\r\n", "7fffffff\r\n{}\r\n"})
    void a_chunked_body_that_the_jdk_cannot_read_gets_a_response(String chunks) throws IOException {
        String head =
                RawClient.head("POST /api/auth/login", "Content-Type: application/json", "Transfer-Encoding: chunked");
        String response = raw.exchange(head + chunks);
        assertEquals(400, RawClient.status(response), response);
        assertEquals(1, RawClient.answers(response), response);
        assertTrue(response.contains("Connection: close"), response);
    }

    @ParameterizedTest
    @CsvSource({
        "/api/auth/me/../x",
        "/api/auth/me%2f..%00",
        "//api/auth/me",
        "//x/api/auth/me",
        "/%2e%2e/api/auth/me",
        "/api/auth/me#",
        "/api/auth/me#x",
        "*",
        "api/auth/me",
        "///api/auth/me",
        "foo:/api/auth/me",
        "foo://x/api/auth/me",
        "http:/api/auth/me",
        "http:///api/auth/me",
    })
    void a_target_that_is_not_the_exact_path_gets_a_404(String target) throws IOException {
        String request = "GET " + target + " HTTP/1.1\nHost: x\nAuthorization: Bearer " + token + "\n\n";
        assertEquals(404, RawClient.status(raw.exchangeLines(request)));
    }

    @Test
    void an_absolute_target_is_routed_by_its_path() throws IOException {
        String request = "GET http://x/api/auth/me?a=b HTTP/1.1\nHost: x\nAuthorization: Bearer " + token + "\n\n";
        assertEquals(200, RawClient.status(raw.exchangeLines(request)));
    }

    @ParameterizedTest
    @CsvSource({
        "get /health/live HTTP/1.1, 405",
        "G\u0001T< /health/live HTTP/1.1, 405",
        "GET /health/live FOO, 505",
        "GET /health/live HTTP/2.0, 505",
        "GET /health/live HTTP/1.0, 200",
        "GET /health/live HTTP/1.junk, 505",
        "GET  /health/live HTTP/1.1, 404",
        "GET /health/live, 400",
        "GET /health%zz HTTP/1.1, 400",
        "GET /\u0000 HTTP/1.1, 400",
    })
    void a_request_line_is_interpreted_literally(String line, int status) throws IOException {
        assertEquals(status, RawClient.status(raw.exchangeLines(line + "\nHost: x\n\n")));
    }

    @Test
    void a_token_with_control_characters_is_invalid() throws IOException {
        for (String invalid : new String[] {"\0", "\u007f", "\u0001", "\u0080", "\u00e4"}) {
            for (String credentials :
                    new String[] {invalid + token, token + invalid + "x", token.replaceFirst("-", invalid)}) {
                String request =
                        "GET /api/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + credentials + "\r\n\r\n";
                assertEquals(401, RawClient.status(raw.exchange(request)), credentials);
            }
        }
    }

    @Test
    void control_characters_in_a_request_id_are_not_echoed() throws IOException {
        for (String invalid : new String[] {"a\0", "a\rb", "a\tb", "a\u0085b"}) {
            String response =
                    raw.exchange("GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: " + invalid + "\r\n\r\n");
            assertFalse(response.isEmpty() || response.contains(invalid), response);
        }
    }

    /**
     * If the service closes the connection without a response, a proxy considers the instance failed. nginx then sends
     * the instance no requests for 10 s.
     */
    @ParameterizedTest
    @CsvSource({
        "1, 32000, 200",
        "1, 40000, 431",
        "200, 10, 431",
        "190, 10, 200",
        "3, 7000, 200",
        "5000, 1, 431",
        "3, 60000, 431"
    })
    void headers_above_the_limits_get_a_431_that_states_the_limits(int names, int length, int status)
            throws IOException {
        String[] headers = IntStream.range(0, names)
                .mapToObj(i -> "X" + i + ": " + "x".repeat(length))
                .toArray(String[]::new);
        String response = raw.exchange(RawClient.head("GET /health/live", headers));
        assertEquals(status, RawClient.status(response), response);
        assertTrue(status == 200 || response.contains("Connection: close"), response);
        assertEquals(status == 431, response.contains("34816 bytes and 200 header names"), response);
    }

    @Test
    void a_request_line_above_the_limit_gets_a_431() throws IOException {
        String request = RawClient.head("GET /health/live?" + "x".repeat(40_000));
        assertEquals(431, RawClient.status(raw.exchange(request)));
    }

    @ParameterizedTest
    @ValueSource(ints = {500_000, 2_000_000, 15_000_000})
    void a_body_far_above_the_limit_is_drained_so_that_the_response_arrives(int length) throws IOException {
        for (var route : Map.of("/api/auth/login", 413, "/nothing", 404, "/api/todos", 401)
                .entrySet()) {
            String head = RawClient.head(
                    "POST " + route.getKey(), "Content-Type: application/json", "Content-Length: " + length);
            String response = raw.exchange(head + " ".repeat(length));
            assertEquals(route.getValue(), RawClient.status(response));
            assertTrue(response.contains("Connection: close"), response);
        }
    }

    /** If the connection stayed open, the JDK's server would treat the next request as the rest of the body. */
    @ParameterizedTest
    @ValueSource(strings = {"GET /health/live", "HEAD /health/live", "OPTIONS /health/live", "GET /nothing"})
    void a_declared_body_that_does_not_arrive_closes_the_connection(String line) throws IOException {
        String response = raw.exchange(RawClient.head(line, "Content-Length: 9"));
        assertEquals(1, RawClient.answers(response), response);
        assertTrue(response.contains("Connection: close"), response);
    }

    @Test
    void an_unread_body_that_has_arrived_keeps_the_connection_open() throws IOException {
        String authorization = "Authorization: Bearer " + token;
        String request = RawClient.head("POST /api/auth/verify", authorization, "Content-Length: 2") + "{}";
        String response = raw.exchange(request + request);
        assertEquals(2, RawClient.answers(response), response);
        assertFalse(response.contains("Connection: close"), response);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "X: x | 400",
                "Host: x;Host: x | 400",
                "Host: x, y | 400",
                "Host: a b | 400",
                "Host: x:y | 400",
                "Host: x/y | 400",
                "Host: u@x | 400",
                "Host: [::1 | 400",
                "Host: | 200",
                "Host: x | 200",
                "Host: my_service:8080 | 200",
                "Host: 127.0.0.1:80 | 200",
                "Host: [::1]:8080 | 200",
            })
    void a_request_must_have_exactly_one_valid_host(String headers, int status) throws IOException {
        String response = raw.exchangeLines("GET /health/live HTTP/1.1\n" + headers.replace(";", "\n") + "\n\n");
        assertEquals(status, RawClient.status(response), response);
        assertEquals(status == 400, response.contains("Connection: close"), response);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1.1 | Connection: close | true",
                "1.1 | Connection: TE, close | true",
                "1.1 | Connection: TE;Connection: Close | true",
                "1.1 | Connection: keep-alive | false",
                "1.1 | X: close | false",
                "1.0 | X: x | true",
                "1.0 | Connection: TE | true",
                "1.0 | Connection: keep-alive | false",
            })
    void the_client_decides_whether_the_connection_is_closed(String version, String headers, boolean closed)
            throws IOException {
        String request = "GET /health/live HTTP/" + version + "\nHost: x\n" + headers.replace(";", "\n") + "\n\n";
        String response = raw.exchangeLines(request + request);
        assertEquals(closed ? 1 : 2, RawClient.answers(response), response);
        assertEquals(closed, response.contains("Connection: close"), response);
    }

    @Test
    void a_truncated_body_is_not_processed() throws IOException {
        String head = "POST /api/todos HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
                + token + "\r\nContent-Length: 100\r\n\r\n{\"name\":\"half";
        int totalBefore = app.get("/api/todos", token).json().get("total").asInt();
        assertTrue(RawClient.status(raw.exchange(head)) != 201);
        assertEquals(
                totalBefore, app.get("/api/todos", token).json().get("total").asInt());
    }

    @Test
    void a_response_without_a_body_causes_no_warning_from_the_jdk_server() throws IOException {
        var warnings = new ConcurrentLinkedQueue<String>();
        Logger logger = Logger.getLogger("com.sun.net.httpserver");
        logger.setFilter(entry -> warnings.add(String.valueOf(entry.getMessage())));
        try {
            String response = raw.exchange(RawClient.head("HEAD /health/live"));
            assertTrue(response.toLowerCase(Locale.ROOT).contains("content-length: 15"), response);
            assertTrue(response.endsWith("\r\n\r\n"), response);
            raw.exchange(RawClient.head("DELETE /api/auth/verify", "Authorization: Bearer " + token));
            raw.exchange(RawClient.head("OPTIONS /health/live"));
        } finally {
            logger.setFilter(null);
        }
        assertTrue(warnings.isEmpty(), warnings::toString);
    }
}
