package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.testing.Explorer;
import dev.latchkey.testing.Interleaver;
import dev.latchkey.testing.Scheduler;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import dev.latchkey.tokens.SessionOptions;
import io.lettuce.core.SetArgs;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * A request of a user beside an operation of an operator, in many orders of their Redis commands. {@link ExplorerTest}
 * has the races of two requests; those here need a state or a step that it does not have.
 */
class RaceTest {
    private static final int MAX_ORDERS = Integer.getInteger("race.orders", 100);
    private static final String NEW_PASSWORD = "a new and better one";
    private static final String OTHER_PASSWORD = "another user's password";

    private static Interleaver interleaver;
    private static TestApp app; // is not controlled
    private static TestApp first;
    private static TestApp second;
    private static AccountAdministration operator;

    private static final Request SET_PASSWORD = operator(name -> operator.setPassword(name, NEW_PASSWORD));
    private static final Request DISABLE = operator(name -> operator.disable(name.text()));
    private static final Request DELETE = operator(name -> operator.delete(name.text()));

    @BeforeAll
    static void start() throws Exception {
        interleaver = new Interleaver(2);
        app = TestApp.startOn(interleaver.redisUrl());
        first = interleaver.start(0);
        second = interleaver.start(1);
        operator = new AccountAdministration(second.app().core().accounts());
    }

    @AfterAll
    static void stop() throws Exception {
        first.close();
        second.close();
        app.close();
        interleaver.close();
    }

    /** A user with two sessions and a todo. */
    private record User(String name, String token, String otherToken) {
        static User create() {
            app.redis().flushall();
            String name = TestApp.newName();
            String token = app.newToken(name);
            app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
            return new User(name, token, app.login(name, TestApp.PASSWORD).field("token"));
        }

        void assertNoTokens() {
            assertEquals(List.of(), app.liveKeys(name));
            assertEquals(0, app.redis().hlen("sessions:" + name));
        }

        void assertPassword(String password, boolean isCorrect) {
            assertEquals(isCorrect ? 200 : 401, app.login(name, password).status(), password);
        }
    }

    @FunctionalInterface
    private interface Request {
        Answer send(TestApp instance, User user);
    }

    @FunctionalInterface
    private interface Rule {
        void check(User user, Answer first, Answer second);
    }

    private static Answer login(TestApp instance, User user) {
        return instance.login(user.name(), TestApp.PASSWORD);
    }

    private static Answer refresh(TestApp instance, User user) {
        return instance.send("POST", "/api/auth/refresh", user.token(), "");
    }

    /** Returns 401 if there is no such user, or if the user is disabled. */
    private static Answer issueToken(TestApp instance, User user) {
        var otherOperator = new AccountAdministration(instance.app().core().accounts());
        boolean isIssued = otherOperator.issueToken(user.name(), SessionOptions.NONE) != null;
        return new Answer(isIssued ? 200 : 401, Map.of(), "");
    }

    private static Answer changePassword(TestApp instance, User user) {
        String body = "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + OTHER_PASSWORD + "\"}";
        return instance.send("PUT", "/api/auth/password", user.otherToken(), body);
    }

    private static Answer register(TestApp instance, User user) {
        return instance.send("POST", "/api/auth/register", TestApp.credentials(user.name(), OTHER_PASSWORD));
    }

    /** Runs an operation of an operator, and returns 200, or 503 if other requests prevented it. */
    private static Request operator(Consumer<Username> operation) {
        return (_, user) -> {
            try {
                operation.accept(new Username(user.name()));
                return new Answer(200, Map.of(), "");
            } catch (ContentionException _) {
                return new Answer(503, Map.of(), "");
            }
        };
    }

    private static void race(Consumer<User> preparation, Request one, Request other, Rule rule) throws Exception {
        var explorer = new Explorer(true, false);
        int orders = 0;
        do {
            User user = User.create();
            preparation.accept(user);
            List<Answer> answers =
                    interleaver.run(explorer, List.of(() -> one.send(first, user), () -> other.send(second, user)));
            try {
                rule.check(user, answers.getFirst(), answers.getLast());
            } catch (AssertionError e) {
                throw new AssertionError("order " + orders + ": " + answers, e);
            }
        } while (++orders < MAX_ORDERS && explorer.next());
    }

    private static void assertOneOf(Answer answer, Integer... statuses) {
        assertTrue(List.of(statuses).contains(answer.status()), answer.toString());
    }

    @Test
    void no_login_refresh_or_password_change_escapes_an_operator_who_sets_the_password() throws Exception {
        for (Request request : List.<Request>of(RaceTest::login, RaceTest::refresh, RaceTest::changePassword)) {
            race(_ -> {}, request, SET_PASSWORD, (user, answer, done) -> {
                assertOneOf(answer, 200, 401);
                assertEquals(200, done.status());
                user.assertNoTokens();
                user.assertPassword(TestApp.PASSWORD, false);
                user.assertPassword(OTHER_PASSWORD, false);
                user.assertPassword(NEW_PASSWORD, true);
            });
        }
    }

    @Test
    void no_login_refresh_or_token_for_a_machine_escapes_an_operator_who_disables_or_deletes_the_user()
            throws Exception {
        for (Request request : List.<Request>of(RaceTest::login, RaceTest::refresh, RaceTest::issueToken)) {
            race(_ -> {}, request, DISABLE, (user, answer, done) -> {
                assertOneOf(answer, 200, 401);
                assertEquals(200, done.status());
                user.assertNoTokens();
                user.assertPassword(TestApp.PASSWORD, false);
            });
            race(_ -> {}, request, DELETE, (user, answer, done) -> {
                assertOneOf(answer, 200, 401);
                assertEquals(200, done.status());
                user.assertNoTokens();
                assertEquals(List.of(), app.redis().keys("*:" + user.name()));
            });
        }
    }

    @Test
    void a_registration_during_set_password_leaves_the_password_of_the_operator() throws Exception {
        Consumer<User> removeUser = user -> app.redis().del("users:" + user.name());
        race(removeUser, RaceTest::register, SET_PASSWORD, (user, registered, done) -> {
            assertOneOf(registered, 201, 409, 503);
            user.assertNoTokens();
            if (done.status() == 200) {
                user.assertPassword(NEW_PASSWORD, true);
                user.assertPassword(OTHER_PASSWORD, false);
            }
        });
    }

    /** An earlier deletion has failed half-way, and its reservation holds. */
    @Test
    void a_registration_during_a_deletion_never_finds_the_username_taken() throws Exception {
        Consumer<User> beginDeletion = user -> {
            String key = "users:" + user.name();
            app.redis().set(key, app.redis().get(key).replaceAll("\\$pbkdf2[^\"]*", ""), SetArgs.Builder.ex(60));
        };
        Request delete = (instance, user) -> instance.send(
                "DELETE", "/api/auth/account", user.otherToken(), "{\"password\":\"" + TestApp.PASSWORD + "\"}");
        race(beginDeletion, RaceTest::register, delete, (user, registered, deleted) -> {
            assertOneOf(registered, 201, 503);
            assertEquals(204, deleted.status());
            user.assertPassword(OTHER_PASSWORD, registered.status() == 201);
        });
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
