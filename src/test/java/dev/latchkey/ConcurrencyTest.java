package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Many concurrent requests. {@link ExplorerTest} runs two requests in all orders. */
class ConcurrencyTest extends StorageMatrix {
    private static final int CLIENTS = 64;

    @Test
    void exactly_one_of_many_concurrent_registrations_of_a_username_succeeds() throws Exception {
        String name = TestApp.newName();
        List<Integer> statuses = TestApp.concurrently(CLIENTS, () -> statusAfterRetries(() -> app.register(name)));
        assertEquals(1, statuses.stream().filter(status -> status == 201).count());
        assertEquals(
                CLIENTS - 1, statuses.stream().filter(status -> status == 409).count());
    }

    private static int statusAfterRetries(Supplier<TestClient.Answer> request) {
        TestClient.Answer response;
        do {
            response = request.get();
        } while (response.status() == 503);
        return response.status();
    }

    @RepeatedTest(5)
    void exactly_one_of_many_concurrent_refreshes_of_a_token_succeeds() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        String token = app.foreignToken(name);
        var responses = TestApp.concurrently(CLIENTS, () -> app.send("POST", "/api/auth/refresh", token, ""));
        var successful =
                responses.stream().filter(response -> response.status() == 200).toList();
        assertEquals(1, successful.size());
        assertEquals(
                CLIENTS - 1,
                responses.stream().filter(response -> response.status() == 401).count());
        assertEquals(List.of(app.key(successful.getFirst().field("token"))), app.liveKeys(name));
    }

    @Test
    void exactly_one_of_many_concurrent_patches_with_the_same_etag_succeeds() throws Exception {
        String token = app.newToken();
        var created = app.send("POST", "/api/todos", token, "{\"name\":\"0\"}");
        var turn = new AtomicInteger();
        List<Integer> statuses = TestApp.concurrently(
                CLIENTS,
                () -> app.send(
                                "PATCH",
                                created.todoPath(),
                                "{\"name\":\"" + turn.incrementAndGet() + "\"}",
                                "Authorization",
                                "Bearer " + token,
                                "If-Match",
                                created.header("ETag"))
                        .status());
        assertEquals(1, statuses.stream().filter(status -> status == 200).count());
        assertEquals(
                CLIENTS - 1, statuses.stream().filter(status -> status == 412).count());
    }

    @Test
    void concurrent_requests_cannot_exceed_the_todo_limit() throws Exception {
        try (var limited = TestApp.start("MAX_TODOS_PER_USER", "10")) {
            String token = limited.newToken();
            List<Integer> statuses = TestApp.concurrently(
                    CLIENTS,
                    () -> limited.send("POST", "/api/todos", token, "{\"name\":\"n\"}")
                            .status());
            assertEquals(10, statuses.stream().filter(status -> status == 201).count());
            assertEquals(
                    CLIENTS - 10,
                    statuses.stream().filter(status -> status == 409).count());
            assertEquals(
                    10, limited.get("/api/todos", token).json().get("total").asInt());
        }
    }

    /**
     * If hashes were computed on virtual threads, each hash would occupy a core. No token check would then get a
     * response before the flood is over.
     */
    @Test
    void excess_logins_get_a_503_and_do_not_block_token_checks() throws Exception {
        try (var costly = TestApp.start("PBKDF2_ITERATIONS", "5000000")) {
            String name = TestApp.newName();
            String token = costly.newToken(name);
            int flood = Runtime.getRuntime().availableProcessors() * 8 + 16;
            var logins =
                    new FutureTask<>(() -> TestApp.concurrently(flood, () -> costly.login(name, TestApp.PASSWORD)));
            Thread.startVirtualThread(logins);
            int checked = 0;
            while (!logins.isDone()) {
                assertEquals(200, costly.get("/api/auth/verify", token).status());
                checked++;
            }
            var responses = logins.get();
            var busy = responses.stream()
                    .filter(response -> response.status() == 503)
                    .toList();
            assertTrue(!busy.isEmpty(), "no login was rejected because of overload");
            assertEquals("1", busy.getFirst().header("Retry-After"));
            assertTrue(responses.stream().anyMatch(response -> response.status() == 200), "no login succeeded");
            assertTrue(checked > 10, "token checks during the logins: " + checked);
        }
    }
}
