package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.testing.CuttingProxy;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import dev.latchkey.testing.Topology;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Requests whose connection to Redis is cut at one of their commands. Each test runs the request once per command.
 * Either the command is not sent, or its reply is lost. Redis is available again immediately, or only after the
 * response has been sent. Each test repeats a request that gets a 503.
 */
class HalfDoneTest {
    private static final String NEW_PASSWORD = "a new and better one";
    private static final String OTHER_PASSWORD = "another user's password";

    private static EmbeddedRedis redis;
    private static CuttingProxy proxy;
    private static TestApp app;
    private static Core commands;

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start();
        proxy = new CuttingProxy(redis.port());
        app = TestApp.startOn(new Topology(proxy.url(), redis.url()), "REDIS_TIMEOUT_MS", "400");
        commands = Core.open(TestApp.config(proxy.url(), "REDIS_TIMEOUT_MS", "400"));
    }

    @AfterAll
    static void stop() throws Exception {
        app.close();
        commands.close();
        proxy.close();
        redis.close();
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
            assertEquals(
                    201,
                    app.send("POST", "/api/auth/register", TestApp.credentials(name, OTHER_PASSWORD))
                            .status());
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

    private static void cutAtEachCommand(
            CuttingProxy.Cut cut,
            boolean staysDown,
            Function<Scenario, Answer> request,
            Consumer<Scenario> beforeRepeating,
            Rule rule) {
        for (int command = 1; ; command++) {
            var scenario = Scenario.create();
            proxy.cutAt(command, cut, staysDown);
            Answer first = request.apply(scenario);
            boolean wasCut = proxy.repair();
            awaitRedis();
            if (!wasCut && first.status() == 503) {
                command--; // Redis was not back yet
                continue;
            }
            if (!wasCut) {
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
                throw new AssertionError("cut at command " + command + ": " + first + ", then " + last, e);
            }
        }
    }

    private static void awaitRedis() {
        Load.await(() ->
                app.send("GET", "/api/auth/verify", app.unknownToken(), "").status() == 401);
    }

    @ParameterizedTest
    @CsvSource({"NOT_SENT, false", "REPLY_LOST, true"})
    void repeating_an_interrupted_password_change_completes_it(CuttingProxy.Cut cut, boolean staysDown) {
        cutAtEachCommand(cut, staysDown, Scenario::changePassword, _ -> {}, (scenario, failed, last) -> {
            // A 401 means that the first request had already revoked the caller's token, which is the last step.
            assertTrue(last.status() == 200 || (failed && last.status() == 401), last.toString());
            scenario.assertRevoked(scenario.token(), scenario.other());
            assertEquals(401, app.login(scenario.name(), TestApp.PASSWORD).status());
            assertEquals(200, app.login(scenario.name(), NEW_PASSWORD).status());
        });
    }

    @ParameterizedTest
    @CsvSource({"NOT_SENT, false", "REPLY_LOST, true"})
    void repeating_an_interrupted_account_deletion_completes_it(CuttingProxy.Cut cut, boolean staysDown) {
        cutAtEachCommand(cut, staysDown, Scenario::delete, _ -> {}, (scenario, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            scenario.assertRevoked(scenario.token(), scenario.other());
            assertEquals(0, app.redis().exists("todos:" + scenario.name()));
            scenario.assertNothingInherited();
        });
    }

    @ParameterizedTest
    @CsvSource("REPLY_LOST, true")
    void repeating_an_account_deletion_completes_it_after_its_reservation_has_expired(
            CuttingProxy.Cut cut, boolean staysDown) {
        cutAtEachCommand(cut, staysDown, Scenario::delete, Scenario::expireReservation, (scenario, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            scenario.assertNothingInherited();
        });
    }

    /** A token of the deleted account must not grant access to the new account. */
    @ParameterizedTest
    @CsvSource("REPLY_LOST, true")
    void registering_a_username_again_after_an_interrupted_deletion_inherits_nothing(
            CuttingProxy.Cut cut, boolean staysDown) {
        for (int command = 2; ; command++) {
            var scenario = Scenario.create();
            proxy.cutAt(command, cut, staysDown);
            Answer response = scenario.delete();
            boolean wasCut = proxy.repair();
            awaitRedis();
            if (!wasCut) {
                assertEquals(204, response.status());
                return;
            }
            scenario.expireReservation();
            boolean deleted = app.redis().exists("users:" + scenario.name()) == 0;
            if (deleted) {
                assertEquals(401, scenario.refresh().status(), "the user must not exist any more");
                scenario.assertNothingInherited();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"NOT_SENT, false", "REPLY_LOST, false", "REPLY_LOST, true"})
    void repeating_an_interrupted_registration_completes_it(CuttingProxy.Cut cut, boolean staysDown) {
        for (int command = 1; ; command++) {
            String name = TestApp.newName();
            awaitRedis();
            proxy.cutAt(command, cut, staysDown);
            Answer first = app.register(name);
            boolean wasCut = proxy.repair();
            awaitRedis();
            if (!wasCut) {
                assertEquals(201, first.status());
                return;
            }
            var scenario = new Scenario(name, "", "");
            if (first.status() == 503) {
                // If only the last reply was lost, the user exists.
                boolean created = String.valueOf(app.redis().get("users:" + name)).contains("pbkdf2");
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

    @ParameterizedTest
    @CsvSource("REPLY_LOST, true")
    void repeating_an_interrupted_logout_everywhere_completes_it(CuttingProxy.Cut cut, boolean staysDown) {
        cutAtEachCommand(cut, staysDown, Scenario::logoutEverywhere, _ -> {}, (scenario, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            assertEquals(List.of(), app.liveKeys(scenario.name()));
        });
    }

    /** A refresh that has succeeded returns its token even if a later clean-up fails. */
    @ParameterizedTest
    @CsvSource("REPLY_LOST, true")
    void repeating_an_interrupted_refresh_leaves_the_old_token_invalid(CuttingProxy.Cut cut, boolean staysDown) {
        cutAtEachCommand(cut, staysDown, Scenario::refresh, _ -> {}, (scenario, failed, last) -> {
            assertTrue(last.status() == 200 || (failed && last.status() == 401), last.toString());
            scenario.assertRevoked(scenario.token());
            assertEquals(200, app.get("/api/auth/me", scenario.other()).status());
            if (last.status() == 200) {
                assertEquals(
                        200, app.get("/api/auth/verify", last.field("token")).status());
            }
        });
    }

    @ParameterizedTest
    @CsvSource("REPLY_LOST, false")
    void a_failed_login_leaves_no_valid_token(CuttingProxy.Cut cut, boolean staysDown) {
        Function<Scenario, Answer> login = scenario -> app.login(scenario.name(), TestApp.PASSWORD);
        cutAtEachCommand(cut, staysDown, login, _ -> {}, (scenario, failed, last) -> {
            assertEquals(200, last.status());
            // The response does not wait for the clean-up.
            Load.await(() ->
                    app.liveKeys(scenario.name()).size() == 3 && app.redis().hlen("sessions:" + scenario.name()) == 3);
        });
    }

    /** Runs an operation of an operator, and returns 200 or 503. */
    private static Answer operate(Consumer<AccountAdministration> operation) {
        try {
            operation.accept(new AccountAdministration(commands.accounts()));
            return new Answer(200, Map.of(), "");
        } catch (RedisUnavailableException | ContentionException e) {
            return new Answer(503, Map.of(), e.toString());
        }
    }

    private static void awaitCommands() {
        Load.await(() -> operate(_ -> commands.redis().ping()).status() == 200);
    }

    @ParameterizedTest
    @CsvSource({"NOT_SENT, false", "REPLY_LOST, true"})
    void repeating_an_interrupted_command_of_an_operator_completes_it(CuttingProxy.Cut cut, boolean staysDown) {
        Consumer<Scenario> beforeRepeating = scenario -> {
            awaitCommands();
            scenario.expireReservation();
        };
        Function<Scenario, Answer> setPassword =
                scenario -> operate(operator -> operator.setPassword(new Username(scenario.name()), NEW_PASSWORD));
        cutAtEachCommand(cut, staysDown, setPassword, beforeRepeating, (scenario, _, last) -> {
            assertEquals(200, last.status());
            scenario.assertRevoked(scenario.token(), scenario.other());
            assertEquals(200, app.login(scenario.name(), NEW_PASSWORD).status());
        });
        Function<Scenario, Answer> disable = scenario -> operate(operator -> operator.disable(scenario.name()));
        cutAtEachCommand(cut, staysDown, disable, beforeRepeating, (scenario, _, last) -> {
            assertEquals(200, last.status());
            scenario.assertRevoked(scenario.token(), scenario.other());
            assertEquals(-1, app.redis().pttl("users:" + scenario.name()));
        });
        Function<Scenario, Answer> delete = scenario -> operate(operator -> operator.delete(scenario.name()));
        cutAtEachCommand(cut, staysDown, delete, beforeRepeating, (scenario, _, last) -> {
            assertEquals(200, last.status());
            scenario.assertNothingInherited();
        });
    }
}
