package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.http.RawClient;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the JDK's server lets through to us, and what becomes of it. */
class RawSocketTest {
    @AutoClose
    private static Fixture app;

    private static RawClient raw;
    private static String token;

    @BeforeAll
    static void start() throws Exception {
        app = Fixture.start();
        raw = new RawClient(app.port());
        token = app.newToken();
    }

    /** A size of 2^32 or none at all ends the body for the JDK's parser, which takes what follows for a new request. */
    @ParameterizedTest
    @ValueSource(strings = {"100000000", "200000000", "", ";x"})
    void no_request_is_smuggled_behind_a_chunk_size(String size) throws IOException {
        for (String path : new String[] {"/api/auth/login", "/api/auth/verify", "/health/live", "/nothing"}) {
            String answer = raw.exchangeLines("""
                    POST %s HTTP/1.1
                    Host: x
                    Content-Type: application/json
                    Transfer-Encoding: chunked

                    %s
                    GET /health/live HTTP/1.1
                    Host: smuggled
                    X-Request-Id: smuggled

                    """.formatted(path, size));
            assertTrue(RawClient.answers(answer) <= 1, answer);
            assertFalse(answer.contains("smuggled"), answer);
        }
    }

    @Test
    void no_request_follows_a_chunked_one_on_its_connection() throws IOException {
        String answer = raw.exchangeLines("""
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
        assertEquals(201, RawClient.status(answer));
        assertEquals(1, RawClient.answers(answer));
        assertTrue(answer.toLowerCase(Locale.ROOT).contains("connection: close"), answer);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Content-Length: 4\nContent-Length: 4", "Content-Length: 4\nTransfer-Encoding: chunked",
                        "Content-Length: 4, 4",
                "Content-Length: -4", "Content-Length: 0x4", "Transfer-Encoding: gzip, chunked",
                "Transfer-Encoding: chunked\nTransfer-Encoding: chunked", "Transfer-Encoding: xchunked"
            })
    void ambiguous_framing_ends_the_connection(String framing) throws IOException {
        String answer = raw.exchangeLines("""
                POST /api/auth/login HTTP/1.1
                Host: x
                %s

                GET /health/live HTTP/1.1
                Host: x

                """.formatted(framing));
        assertTrue(RawClient.status(answer) == 400 || RawClient.status(answer) == 501, answer);
        assertEquals(1, RawClient.answers(answer));
    }

    @ParameterizedTest
    @ValueSource(strings = {"ffffffff", "-1", "xyz", "7fffffff"})
    void a_chunk_size_that_is_none_gets_no_second_answer(String size) throws IOException {
        String answer = raw.exchangeLines("""
                POST /api/auth/login HTTP/1.1
                Content-Type: application/json
                Transfer-Encoding: chunked

                %s
                GET /health/live HTTP/1.1

                """.formatted(size));
        assertTrue(RawClient.answers(answer) <= 1, answer);
    }

    @ParameterizedTest
    @CsvSource({
        "/api/auth/meXYZ",
        "/api/auth/me/../x",
        "/api/auth/x/../me",
        "/api/auth/me%2f..%00",
        "/api/auth/%6De",
        "//api/auth/me",
        "//x/api/auth/me",
        "/%2e%2e/api/auth/me",
        "/api/auth/me#",
        "/api/auth/me#x",
        "*",
        "api/auth/me",
        "///api/auth/me",
    })
    void a_target_that_is_not_the_exact_path_is_a_404(String target) throws IOException {
        String request = "GET " + target + " HTTP/1.1\nHost: x\nAuthorization: Bearer " + token + "\n\n";
        assertEquals(404, RawClient.status(raw.exchangeLines(request)));
    }

    @Test
    void an_absolute_target_is_its_path() throws IOException {
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
        "GET  /health/live HTTP/1.1, 404",
        "GET /health/live, 400",
        "GET /health%zz HTTP/1.1, 400",
        "GET /\u0000 HTTP/1.1, 400",
    })
    void a_request_line_is_taken_at_its_word(String line, int status) throws IOException {
        assertEquals(status, RawClient.status(raw.exchangeLines(line + "\nHost: x\n\n")));
    }

    @Test
    void control_characters_in_a_token_are_no_part_of_one() throws IOException {
        for (String bad : new String[] {"\0", "\u007f", "\u0001", "\u0080", "\u00e4"}) {
            for (String credentials : new String[] {bad + token, token + bad + "x", token.replaceFirst("-", bad)}) {
                String request = "GET /api/auth/me HTTP/1.1\r\nAuthorization: Bearer " + credentials + "\r\n\r\n";
                assertEquals(401, RawClient.status(raw.exchange(request)), credentials);
            }
        }
    }

    @Test
    void control_characters_in_a_request_id_are_not_echoed() throws IOException {
        for (String bad : new String[] {"a\0", "a\rb", "a\tb", "a\u0085b"}) {
            String answer = raw.exchange("GET /health/live HTTP/1.1\r\nX-Request-Id: " + bad + "\r\n\r\n");
            assertFalse(answer.isEmpty() || answer.contains(bad), answer);
        }
    }

    @Test
    void of_two_credentials_none_counts() throws IOException {
        String answer = raw.exchangeLines("""
                GET /api/auth/me HTTP/1.1
                Authorization: Bearer %s
                authorization: Bearer %s

                """.formatted(token, token));
        assertEquals(401, RawClient.status(answer));
    }

    @Test
    void headers_over_the_limits_are_not_served() throws IOException {
        String long1 = "GET /health/live HTTP/1.1\r\nX: " + "x".repeat(20_000) + "\r\n\r\n";
        assertTrue(RawClient.status(raw.exchange(long1)) != 200);
        var many = new StringBuilder("GET /health/live HTTP/1.1\r\n");
        for (int i = 0; i < 70; i++) {
            many.append("X").append(i).append(": x\r\n");
        }
        assertTrue(RawClient.status(raw.exchange(many + "\r\n")) != 200);
    }

    @Test
    void a_body_far_over_the_limit_is_read_off_so_that_its_413_arrives() throws IOException {
        String head =
                "POST /api/auth/login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n";
        assertEquals(413, RawClient.status(raw.exchange(head + " ".repeat(500_000))));
    }

    @Test
    void a_body_that_breaks_off_is_no_request() throws IOException {
        String head = "POST /api/todos HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer " + token
                + "\r\nContent-Length: 100\r\n\r\n{\"name\":\"half";
        int before = app.get("/api/todos", token).json().get("total").asInt();
        assertTrue(RawClient.status(raw.exchange(head)) != 201);
        assertEquals(before, app.get("/api/todos", token).json().get("total").asInt());
    }

    @Test
    void a_head_request_is_answered_without_a_warning_of_the_server() throws IOException {
        var warnings = new ConcurrentLinkedQueue<String>();
        var handler = new Handler() {
            @Override
            public void publish(LogRecord entry) {
                warnings.add(String.valueOf(entry.getMessage()));
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        Logger logger = Logger.getLogger("com.sun.net.httpserver");
        logger.addHandler(handler);
        try {
            String answer = raw.exchangeLines("HEAD /health/live HTTP/1.1\nHost: x\n\n");
            assertTrue(answer.toLowerCase(Locale.ROOT).contains("content-length: 15"), answer);
            assertTrue(answer.endsWith("\r\n\r\n"), answer);
            raw.exchangeLines("DELETE /api/auth/verify HTTP/1.1\nAuthorization: Bearer " + token + "\n\n");
            raw.exchangeLines("OPTIONS /health/live HTTP/1.1\n\n");
        } finally {
            logger.removeHandler(handler);
        }
        assertTrue(warnings.isEmpty(), warnings::toString);
    }
}
