package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Interleaver;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Two concurrent requests of one user. Each rule is checked with many orders of the two requests' Redis commands, and
 * then in many rounds that do not control the order.
 */
@ParameterizedClass(name = "TOKEN_STORAGE={0}")
@ValueSource(strings = {"plain", "hashed"})
class RaceTest {
    private static final int ORDERS = Integer.getInteger("race.orders", 20);
    private static final int ROUNDS = Integer.getInteger("race.rounds", 25);
    private static final long TTL_MILLIS = 600_000;
    private static final int MAX_SESSIONS = 3;
    private static final String NEW_PASSWORD = "a new and better one";
    private static final String OTHER_PASSWORD = "another user's password";

    private static EmbeddedRedis redis;
    private static Interleaver interleaver;
    private static TestApp app;
    private static TestApp first;
    private static TestApp second;
    private static Core commands;
    private static AccountAdministration operator;

    @Parameter
    String storage = "";

    @BeforeParameterizedClassInvocation
    static void start(String storage) throws Exception {
        redis = EmbeddedRedis.start(Map.of("save", "")); // otherwise, each FLUSHALL would write a file
        interleaver = new Interleaver(redis.url(), 2);
        String[] settings = {"TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", Integer.toString(MAX_SESSIONS)};
        app = TestApp.startOn(redis.url(), settings);
        first = TestApp.startOn(interleaver.url(0), settings);
        second = TestApp.startOn(interleaver.url(1), settings);
        commands = Core.open(TestApp.config(interleaver.url(1), settings));
        commands.redis().ping();
        operator = new AccountAdministration(commands.accounts());
    }

    @AfterParameterizedClassInvocation
    static void stop() throws Exception {
        first.close();
        second.close();
        commands.close();
        app.close();
        interleaver.close();
        redis.close();
    }

    /**
     * The state before a race: Redis contains only one user, with a todo and two sessions.
     *
     * @param token of the first session
     * @param sessionId the public id of the first session
     * @param otherToken of the second session
     * @param dump the value of each key in Redis, as returned by DUMP
     */
    private record Scenario(String name, String token, String sessionId, String otherToken, Map<String, byte[]> dump) {
        static Scenario create(Consumer<Scenario> preparation) {
            app.redis().flushall();
            String name = TestApp.newName();
            String token = app.newToken(name);
            app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
            var sessions = app.get("/api/auth/sessions", token).json().get("sessions");
            String sessionId = sessions.get(0).get("id").asString();
            var scenario = new Scenario(
                    name, token, sessionId, app.login(name, TestApp.PASSWORD).field("token"), new HashMap<>());
            preparation.accept(scenario);
            app.redis()
                    .keys("*")
                    .forEach(key -> scenario.dump.put(key, app.redis().dump(key)));
            return scenario;
        }

        void reset() {
            app.redis().flushall();
            dump.forEach((key, value) -> app.redis().restore(key, TTL_MILLIS, value));
        }

        /** Asserts that exactly these tokens are valid, and that the session index lists exactly these tokens. */
        void assertValid(String... tokens) {
            assertEquals(new HashSet<>(Stream.of(tokens).map(app::key).toList()), validKeys());
        }

        Set<String> validKeys() {
            Set<String> valid = Set.copyOf(app.liveKeys(name));
            Set<String> indexed = new HashSet<>();
            app.redis().hkeys("sessions:" + name).forEach(suffix -> indexed.add("tokens:" + suffix));
            assertEquals(valid, indexed, "The session index must list exactly the valid tokens.");
            return valid;
        }

        int loginStatus(String password) {
            return app.login(name, password).status();
        }
    }

    @FunctionalInterface
    private interface Request {
        Answer send(TestApp instance, Scenario scenario);
    }

    @FunctionalInterface
    private interface Rule {
        void check(Scenario scenario, Answer first, Answer second);
    }

    private static void race(Request firstRequest, Request secondRequest, Rule rule) throws Exception {
        race(_ -> {}, firstRequest, secondRequest, rule);
    }

    private static void race(Consumer<Scenario> preparation, Request firstRequest, Request secondRequest, Rule rule)
            throws Exception {
        Scenario scenario = Scenario.create(preparation);
        for (int i = 0; i < ORDERS + ROUNDS; i++) {
            scenario.reset();
            List<Answer> responses = i < ORDERS
                    ? interleaver.run(
                            i, () -> firstRequest.send(first, scenario), () -> secondRequest.send(second, scenario))
                    : Interleaver.runFreely(
                            () -> firstRequest.send(first, scenario), () -> secondRequest.send(second, scenario));
            try {
                rule.check(scenario, responses.getFirst(), responses.getLast());
            } catch (AssertionError e) {
                throw new AssertionError((i < ORDERS ? "Order " : "Free round ") + i + ": " + responses, e);
            }
        }
    }

    private static Answer login(TestApp instance, Scenario scenario) {
        return instance.login(scenario.name(), TestApp.PASSWORD);
    }

    private static Answer refresh(TestApp instance, Scenario scenario) {
        return instance.send("POST", "/api/auth/refresh", scenario.token(), "");
    }

    private static Answer logoutEverywhere(TestApp instance, Scenario scenario) {
        return instance.send("DELETE", "/api/auth/sessions", scenario.otherToken(), "");
    }

    private static Answer changePassword(TestApp instance, String token, String newPassword) {
        return instance.send(
                "PUT",
                "/api/auth/password",
                token,
                "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + newPassword + "\"}");
    }

    private static Answer changePassword(TestApp instance, Scenario scenario) {
        return changePassword(instance, scenario.otherToken(), NEW_PASSWORD);
    }

    private static Answer deleteAccount(TestApp instance, Scenario scenario) {
        return instance.send(
                "DELETE", "/api/auth/account", scenario.otherToken(), "{\"password\":\"" + TestApp.PASSWORD + "\"}");
    }

    private static Answer deleteAndRegisterAgain(TestApp instance, Scenario scenario) {
        Answer deleted = deleteAccount(instance, scenario);
        register(instance, scenario);
        return deleted;
    }

    private static Answer register(TestApp instance, Scenario scenario) {
        return instance.send("POST", "/api/auth/register", TestApp.credentials(scenario.name(), OTHER_PASSWORD));
    }

    private static void assertOneOf(Answer response, Integer... statuses) {
        assertTrue(List.of(statuses).contains(response.status()), response.toString());
    }

    @Test
    void a_login_during_a_password_change_leaves_no_valid_token_of_the_old_password() throws Exception {
        race(RaceTest::login, RaceTest::changePassword, (scenario, login, change) -> {
            assertOneOf(login, 200, 401);
            assertEquals(200, change.status());
            scenario.assertValid(change.field("token"));
            assertEquals(401, scenario.loginStatus(TestApp.PASSWORD));
            assertEquals(200, scenario.loginStatus(NEW_PASSWORD));
        });
    }

    /** In this race, the login also replaces the hash of the old password by a stronger hash. */
    @Test
    void a_hash_upgrade_during_a_password_change_does_not_restore_the_old_password() throws Exception {
        race(RaceTest::weakenHash, RaceTest::login, RaceTest::changePassword, (scenario, login, change) -> {
            assertOneOf(login, 200, 401);
            assertEquals(200, change.status());
            scenario.assertValid(change.field("token"));
            assertEquals(401, scenario.loginStatus(TestApp.PASSWORD));
            assertEquals(200, scenario.loginStatus(NEW_PASSWORD));
        });
    }

    private static void weakenHash(Scenario scenario) {
        app.weakenHash(scenario.name());
    }

    @Test
    void two_concurrent_logins_that_upgrade_the_hash_both_succeed() throws Exception {
        race(RaceTest::weakenHash, RaceTest::login, RaceTest::login, (scenario, one, other) -> {
            assertEquals(200, one.status());
            assertEquals(200, other.status());
            assertEquals(200, scenario.loginStatus(TestApp.PASSWORD));
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_a_logout_everywhere() throws Exception {
        race(RaceTest::refresh, RaceTest::logoutEverywhere, (scenario, refresh, logout) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(204, logout.status());
            scenario.assertValid();
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_the_end_of_its_session() throws Exception {
        Request end = (instance, scenario) ->
                instance.send("DELETE", "/api/auth/sessions/" + scenario.sessionId(), scenario.otherToken(), "");
        race(RaceTest::refresh, end, (scenario, refresh, ended) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(204, ended.status());
            scenario.assertValid(scenario.otherToken());
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_a_password_change() throws Exception {
        race(RaceTest::refresh, RaceTest::changePassword, (scenario, refresh, change) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(200, change.status());
            scenario.assertValid(change.field("token"));
        });
    }

    /** The caller's token is revoked last. A concurrent refresh may have replaced this token by then. */
    @Test
    void a_refresh_in_flight_of_the_callers_own_token_does_not_escape_revocation() throws Exception {
        race(
                RaceTest::refresh,
                (instance, scenario) -> instance.send("DELETE", "/api/auth/sessions", scenario.token(), ""),
                (scenario, refresh, logout) -> {
                    assertOneOf(refresh, 200, 401);
                    assertOneOf(logout, 204, 401);
                    if (logout.status() == 204) {
                        scenario.assertValid();
                    }
                });
        race(
                RaceTest::refresh,
                (instance, scenario) -> changePassword(instance, scenario.token(), NEW_PASSWORD),
                (scenario, refresh, change) -> {
                    assertOneOf(refresh, 200, 401);
                    assertOneOf(change, 200, 401);
                    if (change.status() == 200) {
                        scenario.assertValid(change.field("token"));
                    }
                });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_the_session_limit() throws Exception {
        race(scenario -> login(app, scenario), RaceTest::refresh, RaceTest::login, (scenario, refresh, login) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(200, login.status());
            assertEquals(MAX_SESSIONS, scenario.validKeys().size());
            assertTrue(scenario.validKeys().contains(app.key(login.field("token"))));
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_a_logout_that_succeeds() throws Exception {
        Request logout = (instance, scenario) -> instance.send("POST", "/api/auth/logout", scenario.token(), "");
        race(RaceTest::refresh, logout, (scenario, refresh, loggedOut) -> {
            assertOneOf(loggedOut, 204, 401);
            assertOneOf(refresh, 200, 401);
            if (loggedOut.status() == 401 && refresh.status() == 200) { // as if the refresh had come first
                scenario.assertValid(scenario.otherToken(), refresh.field("token"));
            } else {
                scenario.assertValid(scenario.otherToken());
            }
        });
    }

    @Test
    void exactly_one_of_two_concurrent_refreshes_of_a_token_succeeds() throws Exception {
        race(RaceTest::refresh, RaceTest::refresh, (scenario, one, other) -> {
            assertEquals(200 + 401, one.status() + other.status());
            scenario.assertValid(scenario.otherToken(), (one.status() == 200 ? one : other).field("token"));
        });
    }

    @Test
    void exactly_one_of_two_concurrent_password_changes_succeeds() throws Exception {
        Request one = (instance, scenario) -> changePassword(instance, scenario.token(), NEW_PASSWORD);
        Request other = (instance, scenario) -> changePassword(instance, scenario.otherToken(), OTHER_PASSWORD);
        race(one, other, (scenario, first, second) -> {
            assertEquals(200 + 401, first.status() + second.status());
            boolean firstWon = first.status() == 200;
            scenario.assertValid((firstWon ? first : second).field("token"));
            assertEquals(firstWon ? 200 : 401, scenario.loginStatus(NEW_PASSWORD));
            assertEquals(firstWon ? 401 : 200, scenario.loginStatus(OTHER_PASSWORD));
            assertEquals(401, scenario.loginStatus(TestApp.PASSWORD));
        });
    }

    @Test
    void a_login_during_an_account_deletion_leaves_no_data() throws Exception {
        race(RaceTest::login, RaceTest::deleteAccount, (scenario, login, deleted) -> {
            assertOneOf(login, 200, 401);
            assertEquals(204, deleted.status());
            scenario.assertValid();
            assertEquals(0, app.redis().dbsize(), () -> app.redis().keys("*").toString());
        });
    }

    @Test
    void a_refresh_during_an_account_deletion_leaves_no_data() throws Exception {
        race(RaceTest::refresh, RaceTest::deleteAccount, (scenario, refresh, deleted) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(204, deleted.status());
            assertEquals(0, app.redis().dbsize(), () -> app.redis().keys("*").toString());
        });
    }

    @Test
    void exactly_one_of_a_concurrent_password_change_and_account_deletion_succeeds() throws Exception {
        Request change = (instance, scenario) -> changePassword(instance, scenario.token(), NEW_PASSWORD);
        race(change, RaceTest::deleteAccount, (scenario, changed, deleted) -> {
            if (deleted.status() == 204) {
                assertEquals(401, changed.status());
                assertEquals(
                        0, app.redis().dbsize(), () -> app.redis().keys("*").toString());
            } else {
                assertEquals(401, deleted.status());
                scenario.assertValid(changed.field("token"));
            }
        });
    }

    @Test
    void a_registration_during_a_deletion_never_finds_the_username_taken() throws Exception {
        Consumer<Scenario> beginDeletion = scenario -> {
            String key = "users:" + scenario.name();
            app.redis().set(key, app.redis().get(key).replaceAll("\\$pbkdf2[^\"]*", ""));
        };
        race(beginDeletion, RaceTest::register, RaceTest::deleteAccount, (scenario, registered, deleted) -> {
            assertOneOf(registered, 201, 503);
            assertEquals(204, deleted.status());
            assertEquals(registered.status() == 201 ? 200 : 401, scenario.loginStatus(OTHER_PASSWORD));
        });
    }

    /** Simulates a process that is suspended for longer than its reservation of the username lasts. */
    @Test
    void a_registration_with_an_expired_reservation_deletes_no_data_of_the_next_user() throws Exception {
        var reservationFound = new AtomicBoolean();
        for (int commands = 1; !reservationFound.get(); commands++) {
            assertTrue(commands < 20, "No reservation was found.");
            String name = TestApp.newName();
            String key = "users:" + name;
            Callable<Answer> registerNext = () -> {
                Answer response = second.register(name);
                if (app.redis().pttl(key) > 0) {
                    app.redis().del(key);
                    reservationFound.set(true);
                    response = second.send("POST", "/api/todos", second.newToken(name), "{\"name\":\"mine\"}");
                }
                return response;
            };
            List<Answer> responses = interleaver.runAfter(commands, () -> first.register(name), registerNext);
            if (reservationFound.get()) {
                assertEquals(503, responses.getFirst().status());
                assertEquals(201, responses.getLast().status());
                assertEquals(1, app.redis().hlen("todos:" + name));
            }
        }
    }

    @Test
    void registering_a_deleted_username_again_inherits_no_concurrent_login_or_todo() throws Exception {
        race(RaceTest::login, RaceTest::deleteAndRegisterAgain, (scenario, login, deleted) -> {
            assertOneOf(login, 200, 401);
            assertEquals(204, deleted.status());
            scenario.assertValid();
            assertEquals(401, scenario.loginStatus(TestApp.PASSWORD));
            assertEquals(200, scenario.loginStatus(OTHER_PASSWORD));
        });
        Request todo =
                (instance, scenario) -> instance.send("POST", "/api/todos", scenario.token(), "{\"name\":\"late\"}");
        race(todo, RaceTest::deleteAndRegisterAgain, (scenario, created, deleted) -> {
            assertOneOf(created, 201, 401);
            assertEquals(204, deleted.status());
            assertEquals(0, app.redis().exists("todos:" + scenario.name()));
            scenario.assertValid();
        });
    }

    @Test
    void a_token_that_is_revoked_during_its_introspection_is_inactive() throws Exception {
        String token = app.newToken();
        List<Answer> responses = interleaver.runAfter(
                1,
                () -> first.sendForm("/api/auth/introspect", "token=" + token),
                () -> second.send("POST", "/api/auth/logout", token, ""));
        assertEquals(204, responses.getLast().status());
        assertEquals("{\"active\":false}", responses.getFirst().text());
    }

    /** Runs an operation of an operator as the second request of a race. Its answer has no meaning. */
    private static Request operator(Consumer<String> operation) {
        return (_, scenario) -> {
            operation.accept(scenario.name());
            return new Answer(0, Map.of(), "");
        };
    }

    private static void setPassword(String name) {
        operator.setPassword(new Username(name), NEW_PASSWORD);
    }

    @Test
    void no_login_refresh_or_password_change_escapes_an_operator_who_sets_the_password() throws Exception {
        Request change = (instance, scenario) -> changePassword(instance, scenario.token(), OTHER_PASSWORD);
        for (Request request : List.<Request>of(RaceTest::login, RaceTest::refresh, change)) {
            race(request, operator(RaceTest::setPassword), (scenario, response, _) -> {
                assertOneOf(response, 200, 401);
                scenario.assertValid();
                assertEquals(401, scenario.loginStatus(TestApp.PASSWORD));
                assertEquals(401, scenario.loginStatus(OTHER_PASSWORD));
                assertEquals(200, scenario.loginStatus(NEW_PASSWORD));
            });
        }
    }

    @Test
    void no_login_or_refresh_escapes_an_operator_who_disables_or_deletes_the_user() throws Exception {
        for (Request request : List.<Request>of(RaceTest::login, RaceTest::refresh)) {
            race(request, operator(name -> operator.disable(name)), (scenario, response, _) -> {
                assertOneOf(response, 200, 401);
                scenario.assertValid();
                assertEquals(401, scenario.loginStatus(TestApp.PASSWORD));
            });
            race(request, operator(name -> operator.delete(name)), (scenario, response, _) -> {
                assertOneOf(response, 200, 401);
                scenario.assertValid();
                assertEquals(
                        0, app.redis().dbsize(), () -> app.redis().keys("*").toString());
            });
        }
    }

    @Test
    void a_registration_during_set_password_leaves_the_password_of_the_operator() throws Exception {
        Consumer<Scenario> removeUser = scenario -> app.redis().del("users:" + scenario.name());
        Request set = (_, scenario) -> {
            try {
                setPassword(scenario.name());
                return new Answer(200, Map.of(), "");
            } catch (ContentionException _) {
                return new Answer(503, Map.of(), "");
            }
        };
        race(removeUser, RaceTest::register, set, (scenario, registered, done) -> {
            assertOneOf(registered, 201, 409, 503);
            scenario.assertValid();
            if (done.status() == 200) {
                assertEquals(200, scenario.loginStatus(NEW_PASSWORD));
                assertEquals(401, scenario.loginStatus(OTHER_PASSWORD));
            }
        });
    }
}
