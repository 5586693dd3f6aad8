package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.StorageMatrix;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

class ConcurrencyTest extends StorageMatrix {
    private static final int CLIENTS = 64;

    @Test
    void of_many_registrations_of_one_name_one_succeeds() throws Exception {
        String name = TestApp.newName();
        List<Integer> statuses = TestApp.concurrently(CLIENTS, () -> untilNotBusy(() -> app.register(name)));
        assertEquals(1, statuses.stream().filter(status -> status == 201).count());
        assertEquals(
                CLIENTS - 1, statuses.stream().filter(status -> status == 409).count());
    }

    private static int untilNotBusy(Supplier<TestClient.Answer> request) {
        TestClient.Answer answer;
        do {
            answer = request.get();
        } while (answer.status() == 503);
        return answer.status();
    }

    @RepeatedTest(20)
    void of_many_refreshes_of_one_token_one_succeeds() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        String token = app.foreignToken(name);
        var answers = TestApp.concurrently(CLIENTS, () -> app.send("POST", "/api/auth/refresh", token, ""));
        var winners = answers.stream().filter(answer -> answer.status() == 200).toList();
        assertEquals(1, winners.size());
        assertEquals(
                CLIENTS - 1,
                answers.stream().filter(answer -> answer.status() == 401).count());
        assertEquals(List.of(app.key(winners.getFirst().field("token"))), app.liveKeys(name));
    }

    @RepeatedTest(20)
    void of_a_refresh_and_a_logout_none_leaves_the_old_token_and_a_refused_refresh_leaves_none() throws Exception {
        String name = TestApp.newName();
        String token = app.foreignToken(name);
        var turn = new AtomicInteger();
        var answers = TestApp.concurrently(
                2,
                () -> turn.getAndIncrement() == 0
                        ? app.send("POST", "/api/auth/refresh", token, "")
                        : app.send("POST", "/api/auth/logout", token, ""));
        List<String> disclosed = answers.stream()
                .filter(answer -> answer.status() == 200)
                .map(answer -> app.key(answer.field("token")))
                .toList();
        assertEquals(disclosed, app.liveKeys(name));
    }

    @Test
    void patches_of_different_todos_and_fields_at_once_all_survive() throws Exception {
        String token = app.newToken();
        Set<String> ids = new HashSet<>();
        for (int i = 0; i < CLIENTS / 4; i++) {
            ids.add(app.send("POST", "/api/todos", token, "{\"name\":\"before\"}")
                    .field("id"));
        }
        List<String> targets = List.copyOf(ids);
        var turn = new AtomicInteger();
        List<Integer> statuses = TestApp.concurrently(CLIENTS, () -> {
            int i = turn.getAndIncrement();
            String body = i % 4 < 2 ? "{\"name\":\"after\"}" : "{\"status\":\"complete\"}";
            return app.send("PATCH", "/api/todos/" + targets.get(i / 4), token, body)
                    .status();
        });
        assertEquals(Set.of(200), Set.copyOf(statuses));
        for (String id : targets) {
            var todo = app.get("/api/todos/" + id, token);
            assertEquals("after complete", todo.field("name") + " " + todo.field("status"));
        }
    }

    @Test
    void of_many_conditional_patches_of_one_state_one_succeeds() throws Exception {
        String token = app.newToken();
        var created = app.send("POST", "/api/todos", token, "{\"name\":\"0\"}");
        var turn = new AtomicInteger();
        List<Integer> statuses = TestApp.concurrently(
                CLIENTS,
                () -> app.send(
                                "PATCH",
                                created.header("Location"),
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
    void the_cap_on_todos_holds_against_many_at_once() throws Exception {
        try (var capped = TestApp.start("MAX_TODOS_PER_USER", "10")) {
            String token = capped.newToken();
            List<Integer> statuses = TestApp.concurrently(
                    CLIENTS,
                    () -> capped.send("POST", "/api/todos", token, "{\"name\":\"n\"}")
                            .status());
            assertEquals(10, statuses.stream().filter(status -> status == 201).count());
            assertEquals(
                    CLIENTS - 10,
                    statuses.stream().filter(status -> status == 409).count());
            assertEquals(10, capped.get("/api/todos", token).json().get("total").asInt());
        }
    }

    /** A hash on a virtual thread would hold a core: then no check is answered before the flood is over. */
    @Test
    void a_flood_of_logins_is_turned_away_and_stops_no_token_check() throws Exception {
        try (var costly = TestApp.start("PBKDF2_ITERATIONS", "5000000")) {
            String name = TestApp.newName();
            String token = costly.newToken(name);
            int flood = Runtime.getRuntime().availableProcessors() * 8 + 16;
            var logins =
                    new FutureTask<>(() -> TestApp.concurrently(flood, () -> costly.login(name, TestApp.PASSWORD)));
            Thread.startVirtualThread(logins);
            int checked = 0;
            while (!logins.isDone()) {
                assertEquals(204, costly.get("/api/auth/verify", token).status());
                checked++;
            }
            var answers = logins.get();
            var busy = answers.stream().filter(answer -> answer.status() == 503).toList();
            assertTrue(!busy.isEmpty(), "nobody waited too long");
            assertEquals("1", busy.getFirst().header("Retry-After"));
            assertTrue(answers.stream().anyMatch(answer -> answer.status() == 200), "nobody got in");
            assertTrue(checked > 10, "checks while logins were waiting: " + checked);
        }
    }
}
