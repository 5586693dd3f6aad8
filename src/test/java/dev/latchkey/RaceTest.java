package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Explorer;
import dev.latchkey.testing.Interleaver;
import dev.latchkey.testing.Scheduler;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import io.lettuce.core.SetArgs;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Races of two requests that need a state or a step that {@link ExplorerTest} does not have. */
class RaceTest {
    private static final int MAX_ORDERS = 100;
    private static final String OTHER_PASSWORD = "another user's password";

    private static Interleaver interleaver;
    private static TestApp app; // is not controlled
    private static TestApp first;
    private static TestApp second;

    @BeforeAll
    static void start() throws Exception {
        interleaver = new Interleaver(2);
        app = TestApp.startOn(interleaver.redisUrl());
        first = interleaver.start(0);
        second = interleaver.start(1);
    }

    @AfterAll
    static void stop() throws Exception {
        first.close();
        second.close();
        app.close();
        interleaver.close();
    }

    /** An earlier deletion has failed half-way, and its reservation holds. */
    @Test
    void a_registration_during_a_deletion_never_finds_the_username_taken() throws Exception {
        var explorer = new Explorer(true, null);
        int orders = 0;
        do {
            app.redis().flushall();
            String token = app.newToken("alice");
            String record = app.redis().get("users:alice");
            app.redis().set("users:alice", record.replaceAll("\\$pbkdf2[^\"]*", ""), SetArgs.Builder.ex(60));
            List<Answer> answers = interleaver.run(
                    explorer,
                    List.of(
                            () -> first.register("alice", OTHER_PASSWORD),
                            () -> second.deleteAccount(token, TestApp.PASSWORD)));
            int registered = answers.getFirst().status();
            assertTrue(registered == 201 || registered == 503, answers.toString());
            assertEquals(204, answers.getLast().status());
            int login = app.login("alice", OTHER_PASSWORD).status();
            assertEquals(registered == 201 ? 200 : 401, login, answers.toString());
        } while (++orders < MAX_ORDERS && explorer.next());
    }

    /** Simulates a process that is suspended for longer than its reservation of the username lasts. */
    @Test
    void a_registration_with_an_expired_reservation_neither_replaces_the_next_user_nor_deletes_its_data()
            throws Exception {
        int suspended = 0;
        for (int commands = 1; commands < 20; commands++) {
            String name = TestApp.newName();
            var record = new AtomicReference<@Nullable String>();
            Callable<Answer> registerNext = () -> {
                Answer answer = second.register(name);
                if (app.redis().pttl("users:" + name) > 0) {
                    app.redis().del("users:" + name);
                    String token = second.newToken(name);
                    record.set(app.redis().get("users:" + name));
                    return second.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
                }
                return answer;
            };
            List<Answer> answers =
                    interleaver.run(suspendFirst(commands), List.of(() -> first.register(name), registerNext));
            if (record.get() != null) {
                assertEquals(503, answers.getFirst().status());
                assertEquals(201, answers.getLast().status());
                assertEquals(record.get(), app.redis().get("users:" + name));
                // Between the check of the reservation and the deletion, nothing can protect the data.
                assertTrue(suspended > 0 || app.redis().hlen("todos:" + name) == 1);
                suspended++;
            }
        }
        assertTrue(suspended > 2, "suspended " + suspended + " times");
    }

    @Test
    void a_deletion_deletes_no_data_of_the_next_user() throws Exception {
        int created = 0;
        for (int commands = 1; commands < 25; commands++) {
            String name = TestApp.newName();
            String token = app.newToken(name);
            Callable<Answer> registerNext = () -> {
                Answer registered = second.register(name);
                return registered.status() == 201
                        ? second.send(
                                "POST",
                                "/api/todos",
                                second.login(name, TestApp.PASSWORD).field("token"),
                                "{\"name\":\"mine\"}")
                        : registered;
            };
            List<Answer> answers = interleaver.run(
                    suspendFirst(commands), List.of(() -> first.deleteAccount(token, TestApp.PASSWORD), registerNext));
            if (answers.getLast().status() == 201) {
                assertEquals(1, app.redis().hlen("todos:" + name), "suspended after " + commands + " commands");
                created++;
            }
        }
        assertTrue(created > 0);
    }

    @Test
    void a_token_that_is_revoked_during_its_introspection_is_inactive() throws Exception {
        String token = app.newToken();
        List<Answer> answers = interleaver.run(
                suspendFirst(1),
                List.of(
                        () -> first.sendForm("/api/auth/introspect", "token=" + token),
                        () -> second.send("POST", "/api/auth/logout", token, "")));
        assertEquals(204, answers.getLast().status());
        assertEquals("{\"active\":false}", answers.getFirst().text());
    }

    /** Lets the second request run completely after some commands of the first one. */
    private static Scheduler suspendFirst(int commands) {
        return Scheduler.replay("0".repeat(commands) + "1".repeat(100));
    }
}
