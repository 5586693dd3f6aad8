package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.CuttingProxy;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import dev.latchkey.testing.Topology;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Requests that lose Redis at one of their commands, at each of them in turn: the command is not sent, or its reply is lost, and
 * Redis is back at once or stays away until the response has been sent. What was answered with 503 is repeated.
 */
class HalfDoneTest {
    private static final String NEXT = "a new and better one";
    private static final String OTHER = "another user's password";

    private static EmbeddedRedis redis;
    private static CuttingProxy proxy;
    private static TestApp app;

    @BeforeAll
    static void start() throws Exception {
        redis = EmbeddedRedis.start();
        proxy = new CuttingProxy(redis.port());
        app = TestApp.startOn(new Topology(proxy.url(), redis.url()), "REDIS_TIMEOUT_MS", "200");
    }

    @AfterAll
    static void stop() throws Exception {
        app.close();
        proxy.close();
        redis.close();
    }

    /** A user with two sessions and a todo. */
    private record Scenario(String name, String token, String other) {
        static Scenario set() {
            awaitRedis();
            String name = TestApp.newName();
            String token = app.newToken(name);
            String other = app.login(name, TestApp.PASSWORD).field("token");
            app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
            return new Scenario(name, token, other);
        }

        /** Lets the time pass for which an interrupted registration or deletion holds the name. */
        void passReservation() {
            if (app.redis().pttl("users:" + name) > 0) {
                app.redis().pexpire("users:" + name, 0);
            }
        }

        Answer changePassword() {
            String body = "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + NEXT + "\"}";
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

        /** Somebody else registers the name, and finds nothing of this user. */
        void assertNothingInherited() {
            passReservation();
            assertEquals(
                    201,
                    app.send("POST", "/api/auth/register", TestApp.credentials(name, OTHER))
                            .status());
            String next = app.login(name, OTHER).field("token");
            assertEquals(List.of(app.key(next)), app.liveKeys(name));
            assertEquals(0, app.get("/api/todos", next).json().get("total").asInt());
            assertRevoked(token, other);
            assertEquals(401, refresh().status());
        }
    }

    @FunctionalInterface
    private interface Rule {
        /** @param failed whether the first response was a 503 */
        void check(Scenario scene, boolean failed, Answer last);
    }

    private static void cutEach(
            CuttingProxy.Cut cut,
            boolean staysDown,
            Function<Scenario, Answer> request,
            Consumer<Scenario> beforeRepeating,
            Rule rule) {
        for (int command = 1; ; command++) {
            var scene = Scenario.set();
            proxy.cutAt(command, cut, staysDown);
            Answer first = request.apply(scene);
            boolean wasCut = proxy.repair();
            awaitRedis();
            if (!wasCut && first.status() == 503) {
                command--; // Redis was not back yet
                continue;
            }
            if (!wasCut) {
                assertTrue(command > 3, "the request sends " + (command - 1) + " commands");
                return;
            }
            boolean failed = first.status() == 503;
            Answer last = first;
            if (failed) {
                beforeRepeating.accept(scene);
                last = request.apply(scene);
            }
            try {
                rule.check(scene, failed, last);
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
    void a_password_change_can_be_repeated_to_completion(CuttingProxy.Cut cut, boolean staysDown) {
        cutEach(cut, staysDown, Scenario::changePassword, _ -> {}, (scene, failed, last) -> {
            // 401: the caller's token was the last thing that ended
            assertTrue(last.status() == 200 || (failed && last.status() == 401), last.toString());
            scene.assertRevoked(scene.token(), scene.other());
            assertEquals(401, app.login(scene.name(), TestApp.PASSWORD).status());
            assertEquals(200, app.login(scene.name(), NEXT).status());
        });
    }

    @ParameterizedTest
    @CsvSource({"NOT_SENT, false", "REPLY_LOST, true"})
    void an_account_deletion_can_be_repeated_to_completion(CuttingProxy.Cut cut, boolean staysDown) {
        cutEach(cut, staysDown, Scenario::delete, _ -> {}, (scene, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            scene.assertRevoked(scene.token(), scene.other());
            assertEquals(0, app.redis().exists("todos:" + scene.name()));
            scene.assertNothingInherited();
        });
    }

    @ParameterizedTest
    @CsvSource("REPLY_LOST, true")
    void an_account_deletion_goes_on_after_its_reservation_has_expired(CuttingProxy.Cut cut, boolean staysDown) {
        cutEach(cut, staysDown, Scenario::delete, Scenario::passReservation, (scene, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            scene.assertNothingInherited();
        });
    }

    /** The old owner's token must not open the new owner's account. */
    @ParameterizedTest
    @CsvSource("REPLY_LOST, true")
    void an_interrupted_deletion_leaves_nothing_to_the_next_user(CuttingProxy.Cut cut, boolean staysDown) {
        for (int command = 2; ; command++) {
            var scene = Scenario.set();
            proxy.cutAt(command, cut, staysDown);
            Answer answer = scene.delete();
            boolean wasCut = proxy.repair();
            awaitRedis();
            if (!wasCut) {
                assertEquals(204, answer.status());
                return;
            }
            scene.passReservation();
            boolean deleted = app.redis().exists("users:" + scene.name()) == 0;
            if (deleted) {
                assertEquals(401, scene.refresh().status(), "there is no user");
                scene.assertNothingInherited();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"NOT_SENT, false", "REPLY_LOST, false", "REPLY_LOST, true"})
    void a_registration_can_be_repeated_to_completion(CuttingProxy.Cut cut, boolean staysDown) {
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
            var scene = new Scenario(name, "", "");
            if (first.status() == 503) {
                Load.await(() -> {
                    Answer next = app.register(name);
                    if (staysDown) { // otherwise the name is free before its reservation expires
                        scene.passReservation();
                    }
                    // taken: the reply to the last command was lost, and Redis stayed away
                    boolean done = next.status() == 201 || (next.status() == 409 && staysDown);
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
    void log_out_everywhere_can_be_repeated_to_completion(CuttingProxy.Cut cut, boolean staysDown) {
        cutEach(cut, staysDown, Scenario::logoutEverywhere, _ -> {}, (scene, failed, last) -> {
            assertTrue(last.status() == 204 || (failed && last.status() == 401), last.toString());
            assertEquals(List.of(), app.liveKeys(scene.name()));
        });
    }

    /** What has succeeded is not withheld because a clean-up fails. */
    @ParameterizedTest
    @CsvSource("REPLY_LOST, true")
    void a_refresh_returns_the_token_or_leaves_none_that_the_client_does_not_know(
            CuttingProxy.Cut cut, boolean staysDown) {
        cutEach(cut, staysDown, Scenario::refresh, _ -> {}, (scene, failed, last) -> {
            assertTrue(last.status() == 200 || (failed && last.status() == 401), last.toString());
            scene.assertRevoked(scene.token());
            assertEquals(200, app.get("/api/auth/me", scene.other()).status());
            if (last.status() == 200) {
                assertEquals(
                        204, app.get("/api/auth/verify", last.field("token")).status());
            }
        });
    }

    @ParameterizedTest
    @CsvSource("REPLY_LOST, false")
    void a_login_that_fails_leaves_no_token(CuttingProxy.Cut cut, boolean staysDown) {
        cutEach(cut, staysDown, scene -> app.login(scene.name(), TestApp.PASSWORD), _ -> {}, (scene, failed, last) -> {
            assertEquals(200, last.status());
            // the clean-up does not make the response wait
            Load.await(() -> app.liveKeys(scene.name()).size() == 3);
        });
    }
}
