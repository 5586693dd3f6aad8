package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Fault;
import dev.latchkey.testing.FaultProxy;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import dev.latchkey.testing.Topology;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Requests during which Redis becomes unavailable. Each test runs a request once per command, whose reply is lost. Redis
 * is back after the response, so that no clean-up succeeds either, and a request that got a 503 is repeated. {@link
 * ExplorerTest} has the requests that only lose one command.
 */
class HalfDoneTest {
    private static final String NEW_PASSWORD = "a new and better one";
    private static final String OTHER_PASSWORD = "another user's password";
    private static final int NEVER = -1;

    private static final AtomicInteger commandsUntilOutage = new AtomicInteger(NEVER);
    private static volatile boolean staysDown = true;

    private static EmbeddedRedis redis;
    private static FaultProxy proxy;
    private static TestApp app;

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start();
        proxy = new FaultProxy(redis.port(), _ -> nextFault());
        app = TestApp.startOn(new Topology(proxy.url(), redis.url()), "REDIS_TIMEOUT_MS", "400");
    }

    @AfterAll
    static void stop() throws Exception {
        app.close();
        proxy.close();
        redis.close();
    }

    private static Fault nextFault() {
        int left = commandsUntilOutage.getAndUpdate(commands -> commands > 0 ? commands - 1 : commands);
        return left == 1 ? Fault.REPLY_LOST : left == 0 && staysDown ? Fault.NOT_SENT : Fault.NONE;
    }

    /** A user with two sessions and a todo. */
    private record Scenario(String name, String token, String other) {
        static Scenario create() {
            awaitRedis();
            String name = TestApp.newName();
            String token = app.newToken(name);
            String other = app.login(name, TestApp.PASSWORD).field("token");
            app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
            return new Scenario(name, token, other);
        }

        /** Lets the reservation of the username by an interrupted registration or deletion expire. */
        void expireReservation() {
            if (app.redis().pttl("users:" + name) > 0) {
                app.redis().pexpire("users:" + name, 0);
            }
        }

        Answer changePassword() {
            String body = "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + NEW_PASSWORD + "\"}";
            return app.send("PUT", "/api/auth/password", token, body);
        }

        Answer delete() {
            return app.send("DELETE", "/api/auth/account", token, "{\"password\":\"" + TestApp.PASSWORD + "\"}");
        }

        Answer logoutEverywhere() {
            return app.send("DELETE", "/api/auth/sessions", token, "");
        }

        Answer refresh() {
            return app.send("POST", "/api/auth/refresh", token, "");
        }

        void assertRevoked(String... tokens) {
            for (String revoked : tokens) {
                assertEquals(401, app.get("/api/auth/verify", revoked).status());
            }
        }

        /** Registers the username again as another user, and asserts that this user inherits nothing. */
        void assertNothingInherited() {
            expireReservation();
            String credentials = TestApp.credentials(name, OTHER_PASSWORD);
            assertEquals(
                    201, app.send("POST", "/api/auth/register", credentials).status());
            String next = app.login(name, OTHER_PASSWORD).field("token");
            assertEquals(List.of(app.key(next)), app.liveKeys(name));
            assertEquals(0, app.get("/api/todos", next).json().get("total").asInt());
            assertRevoked(token, other);
            assertEquals(401, refresh().status());
        }
    }

    @FunctionalInterface
    private interface Rule {
        /** @param failed whether the first response had the status code 503 */
        void check(Scenario scenario, boolean failed, Answer last);
    }

    private static void interruptAtEachCommand(
            Function<Scenario, Answer> request, Consumer<Scenario> beforeRepeating, Rule rule) {
        for (int command = 1; ; command++) {
            var scenario = Scenario.create();
            commandsUntilOutage.set(command);
            Answer first = request.apply(scenario);
            boolean wasInterrupted = commandsUntilOutage.getAndSet(NEVER) == 0;
            awaitRedis();
            if (!wasInterrupted && first.status() == 503) {
                command--; // Redis was not back yet
                continue;
            }
            if (!wasInterrupted) {
                assertTrue(command > 3, "the request sent only " + (command - 1) + " commands");
                return;
            }
            boolean failed = first.status() == 503;
            Answer last = first;
            if (failed) {
                beforeRepeating.accept(scenario);
                last = request.apply(scenario);
            }
            try {
                rule.check(scenario, failed, last);
            } catch (AssertionError e) {
                throw new AssertionError("interrupted at command " + command + ": " + first + ", then " + last, e);
            }
        }
    }

    // Waits for both connections.
    private static void awaitRedis() {
        Load.await(() ->
                app.send("GET", "/api/auth/verify", app.unknownToken(), "").status() == 401
                        && app.login(TestApp.newName(), TestApp.PASSWORD).status() == 401);
    }

    @Test
    void repeating_an_interrupted_password_change_completes_it() {
        interruptAtEachCommand(Scenario::changePassword, _ -> {}, (scenario, failed, last) -> {
            // A 401 means that the first request had already revoked the caller's token, which is the last step.
            assertTrue(last.status() == 200 || (failed && last.status() == 401), last.toString());
            scenario.assertRevoked(scenario.token(), scenario.other());
            assertEquals(401, app.login(scenario.name(), TestApp.PASSWORD).status());
            assertEquals(200, app.login(scenario.name(), NEW_PASSWORD).status());
        });
    }

    /** A token of the deleted account must not grant access to the next account of that name. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void repeating_an_interrupted_account_deletion_completes_it(boolean afterReservation) {
        Consumer<Scenario> beforeRepeating = afterReservation ? Scenario::expireReservation : _ -> {};
        interruptAtEachCommand(Scenario::delete, beforeRepeating, (scenario, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            scenario.assertRevoked(scenario.token(), scenario.other());
            scenario.assertNothingInherited();
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void repeating_an_interrupted_registration_completes_it(boolean staysDown) {
        for (int command = 1; ; command++) {
            String name = TestApp.newName();
            awaitRedis();
            HalfDoneTest.staysDown = staysDown;
            commandsUntilOutage.set(command);
            Answer first = app.register(name);
            boolean wasInterrupted = commandsUntilOutage.getAndSet(NEVER) == 0;
            HalfDoneTest.staysDown = true;
            awaitRedis();
            if (!wasInterrupted) {
                assertEquals(201, first.status());
                return;
            }
            var scenario = new Scenario(name, "", "");
            if (first.status() == 503) {
                // If only the last reply was lost, the user exists.
                boolean created =
                        String.valueOf(app.redis().get("users:" + name)).contains("pbkdf2");
                if (!staysDown && !created) {
                    // The service frees the username itself, without waiting for the reservation to expire.
                    app.redis().persist("users:" + name);
                    Load.await(() -> app.redis().exists("users:" + name) == 0);
                }
                Load.await(() -> {
                    Answer next = app.register(name);
                    scenario.expireReservation();
                    boolean done = next.status() == (created ? 409 : 201);
                    assertTrue(done || next.status() == 503, first + ", then " + next);
                    assertTrue(done || next.header("Retry-After").matches("[1-9][0-9]?"), next.toString());
                    return done;
                });
            } else {
                assertEquals(201, first.status());
            }
            assertEquals(200, app.login(name, TestApp.PASSWORD).status());
        }
    }

    @Test
    void repeating_an_interrupted_logout_everywhere_completes_it() {
        interruptAtEachCommand(Scenario::logoutEverywhere, _ -> {}, (scenario, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            assertEquals(List.of(), app.liveKeys(scenario.name()));
        });
    }

    /** A refresh that has succeeded returns its token even if a later clean-up fails. */
    @Test
    void repeating_an_interrupted_refresh_leaves_the_old_token_invalid() {
        interruptAtEachCommand(Scenario::refresh, _ -> {}, (scenario, failed, last) -> {
            assertTrue(last.status() == 200 || (failed && last.status() == 401), last.toString());
            scenario.assertRevoked(scenario.token());
            assertEquals(200, app.get("/api/auth/me", scenario.other()).status());
            if (last.status() == 200) {
                assertEquals(
                        200, app.get("/api/auth/verify", last.field("token")).status());
            }
        });
    }

    /** Runs an operation of an operator, and returns 200 or 503. */
    private static Answer operate(Consumer<AccountAdministration> operation) {
        try {
            operation.accept(new AccountAdministration(app.app().core().accounts()));
            return new Answer(200, Map.of(), "");
        } catch (RedisUnavailableException | ContentionException e) {
            return new Answer(503, Map.of(), e.toString());
        }
    }

    @Test
    void repeating_an_interrupted_command_of_an_operator_completes_it() {
        Function<Scenario, Answer> setPassword =
                scenario -> operate(operator -> operator.setPassword(new Username(scenario.name()), NEW_PASSWORD));
        interruptAtEachCommand(setPassword, Scenario::expireReservation, (scenario, _, last) -> {
            assertEquals(200, last.status());
            scenario.assertRevoked(scenario.token(), scenario.other());
            assertEquals(200, app.login(scenario.name(), NEW_PASSWORD).status());
        });
        Function<Scenario, Answer> disable = scenario -> operate(operator -> operator.disable(scenario.name()));
        interruptAtEachCommand(disable, Scenario::expireReservation, (scenario, _, last) -> {
            assertEquals(200, last.status());
            scenario.assertRevoked(scenario.token(), scenario.other());
            assertEquals(-1, app.redis().pttl("users:" + scenario.name()));
        });
        Function<Scenario, Answer> delete = scenario -> operate(operator -> operator.delete(scenario.name()));
        interruptAtEachCommand(delete, Scenario::expireReservation, (scenario, _, last) -> {
            assertEquals(200, last.status());
            scenario.assertNothingInherited();
        });
    }
}
