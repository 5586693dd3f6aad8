package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Interleaver;
import dev.latchkey.testing.Interleaver.Both;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient.Answer;
import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.stream.Stream;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Two requests of one user at the same time. Each rule is tried with many orders of their Redis commands, and then in many
 * rounds without any order.
 */
@ParameterizedClass(name = "TOKEN_STORAGE={0}")
@ValueSource(strings = {"plain", "hashed"})
class RaceTest {
    private static final int ORDERS = Integer.getInteger("race.orders", 100);
    private static final int ROUNDS = Integer.getInteger("race.rounds", 50);
    private static final long TTL_MILLIS = 600_000;
    private static final int MAX_SESSIONS = 3;
    private static final String NEW = "a new and better one";
    private static final String OTHER = "another user's password";

    private static EmbeddedRedis redis;
    private static Interleaver interleaver;
    private static TestApp app;
    private static TestApp first;
    private static TestApp second;

    @Parameter
    String storage = "";

    @BeforeParameterizedClassInvocation
    static void start(String storage) throws Exception {
        redis = EmbeddedRedis.start();
        interleaver = new Interleaver(redis.url());
        String[] settings = {"TOKEN_STORAGE", storage, "MAX_SESSIONS_PER_USER", Integer.toString(MAX_SESSIONS)};
        app = TestApp.startOn(redis.url(), settings);
        first = TestApp.startOn(interleaver.firstUrl(), settings);
        second = TestApp.startOn(interleaver.secondUrl(), settings);
    }

    @AfterParameterizedClassInvocation
    static void stop() throws Exception {
        first.close();
        second.close();
        app.close();
        interleaver.close();
        redis.close();
    }

    /**
     * A user alone in Redis, with a todo and two sessions.
     *
     * @param session the public id of {@code token}'s
     * @param dump all that Redis holds then
     */
    private record Scenario(String name, String token, String session, String other, Map<String, byte[]> dump) {
        static Scenario set(Consumer<Scenario> more) {
            app.redis().flushall();
            String name = TestApp.newName();
            String token = app.newToken(name);
            app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
            var sessions = app.get("/api/auth/sessions", token).json().get("sessions");
            String session = sessions.get(0).get("id").asString();
            var scene = new Scenario(
                    name, token, session, app.login(name, TestApp.PASSWORD).field("token"), new HashMap<>());
            more.accept(scene);
            app.redis().keys("*").forEach(key -> scene.dump.put(key, app.redis().dump(key)));
            return scene;
        }

        void reset() {
            app.redis().flushall();
            dump.forEach((key, value) -> app.redis().restore(key, TTL_MILLIS, value));
        }

        /** That these tokens are alive, no others, and that the index has just them. */
        void assertLive(String... tokens) {
            assertEquals(new HashSet<>(Stream.of(tokens).map(app::key).toList()), liveKeys());
        }

        Set<String> liveKeys() {
            Set<String> live = Set.copyOf(app.liveKeys(name));
            Set<String> indexed = new HashSet<>();
            app.redis().hkeys("sessions:" + name).forEach(suffix -> indexed.add("tokens:" + suffix));
            assertEquals(live, indexed, "the index");
            return live;
        }

        int status(String password) {
            return app.login(name, password).status();
        }
    }

    @FunctionalInterface
    private interface Request {
        Answer send(TestApp at, Scenario scene);
    }

    @FunctionalInterface
    private interface Rule {
        void check(Scenario scene, Answer first, Answer second);
    }

    private static void race(Request one, Request other, Rule rule) throws Exception {
        race(_ -> {}, one, other, rule);
    }

    private static void race(Consumer<Scenario> before, Request one, Request other, Rule rule) throws Exception {
        Scenario scene = Scenario.set(before);
        for (int i = 0; i < ORDERS + ROUNDS; i++) {
            scene.reset();
            Both<Answer> answers = i < ORDERS
                    ? interleaver.run(i, () -> one.send(first, scene), () -> other.send(second, scene))
                    : interleaver.runFreely(() -> one.send(first, scene), () -> other.send(second, scene));
            try {
                rule.check(scene, answers.first(), answers.second());
            } catch (AssertionError e) {
                throw new AssertionError((i < ORDERS ? "order " : "free round ") + i + ": " + answers, e);
            }
        }
    }

    private static Answer login(TestApp at, Scenario scene) {
        return at.login(scene.name(), TestApp.PASSWORD);
    }

    private static Answer refresh(TestApp at, Scenario scene) {
        return at.send("POST", "/api/auth/refresh", scene.token(), "");
    }

    private static Answer logoutEverywhere(TestApp at, Scenario scene) {
        return at.send("DELETE", "/api/auth/sessions", scene.other(), "");
    }

    private static Answer changePassword(TestApp at, String token, String next) {
        return at.send(
                "PUT",
                "/api/auth/password",
                token,
                "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + next + "\"}");
    }

    private static Answer changePassword(TestApp at, Scenario scene) {
        return changePassword(at, scene.other(), NEW);
    }

    private static Answer deleteAccount(TestApp at, Scenario scene) {
        return at.send("DELETE", "/api/auth/account", scene.other(), "{\"password\":\"" + TestApp.PASSWORD + "\"}");
    }

    private static Answer deleteAndRegisterAnew(TestApp at, Scenario scene) {
        Answer deleted = deleteAccount(at, scene);
        register(at, scene);
        return deleted;
    }

    private static Answer register(TestApp at, Scenario scene) {
        return at.send("POST", "/api/auth/register", TestApp.credentials(scene.name(), OTHER));
    }

    private static void assertOneOf(Answer answer, Integer... statuses) {
        assertTrue(List.of(statuses).contains(answer.status()), answer.toString());
    }

    @Test
    void a_login_with_the_old_password_while_it_changes_leaves_no_live_token() throws Exception {
        race(RaceTest::login, RaceTest::changePassword, (scene, login, change) -> {
            assertOneOf(login, 200, 401);
            assertEquals(200, change.status());
            scene.assertLive(change.field("token"));
            assertEquals(401, scene.status(TestApp.PASSWORD));
            assertEquals(200, scene.status(NEW));
        });
    }

    /** As before, and the login replaces the hash of the old password by a stronger one. */
    @Test
    void an_upgrade_of_the_hash_while_the_password_changes_does_not_bring_the_old_one_back() throws Exception {
        race(RaceTest::weakenHash, RaceTest::login, RaceTest::changePassword, (scene, login, change) -> {
            assertOneOf(login, 200, 401);
            assertEquals(200, change.status());
            scene.assertLive(change.field("token"));
            assertEquals(401, scene.status(TestApp.PASSWORD));
            assertEquals(200, scene.status(NEW));
        });
    }

    private static void weakenHash(Scenario scene) {
        String key = "users:" + scene.name();
        String weak;
        try {
            var spec = new PBEKeySpec(TestApp.PASSWORD.toCharArray(), new byte[16], 1, 256);
            byte[] bytes = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
                    .generateSecret(spec)
                    .getEncoded();
            weak = "$pbkdf2-sha256$i=1$" + "A".repeat(22) + "$"
                    + Base64.getEncoder().withoutPadding().encodeToString(bytes);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
        String strong = "\\$pbkdf2[^\"]*";
        app.redis().set(key, app.redis().get(key).replaceAll(strong, Matcher.quoteReplacement(weak)));
    }

    @Test
    void two_logins_that_both_upgrade_the_hash_both_get_in() throws Exception {
        race(RaceTest::weakenHash, RaceTest::login, RaceTest::login, (scene, one, other) -> {
            assertEquals(200, one.status());
            assertEquals(200, other.status());
            assertEquals(200, scene.status(TestApp.PASSWORD));
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_log_out_everywhere() throws Exception {
        race(RaceTest::refresh, RaceTest::logoutEverywhere, (scene, refresh, logout) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(204, logout.status());
            scene.assertLive();
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_the_end_of_its_session() throws Exception {
        Request end = (at, scene) -> at.send("DELETE", "/api/auth/sessions/" + scene.session(), scene.other(), "");
        race(RaceTest::refresh, end, (scene, refresh, ended) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(204, ended.status());
            scene.assertLive(scene.other());
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_a_new_password() throws Exception {
        race(RaceTest::refresh, RaceTest::changePassword, (scene, refresh, change) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(200, change.status());
            scene.assertLive(change.field("token"));
        });
    }

    /** The token that ends last, too, may have been replaced meanwhile. */
    @Test
    void a_refresh_in_flight_of_the_callers_token_does_not_escape() throws Exception {
        race(
                RaceTest::refresh,
                (at, scene) -> at.send("DELETE", "/api/auth/sessions", scene.token(), ""),
                (scene, refresh, logout) -> {
                    assertOneOf(refresh, 200, 401);
                    assertOneOf(logout, 204, 401);
                    if (logout.status() == 204) {
                        scene.assertLive();
                    }
                });
        race(RaceTest::refresh, (at, scene) -> changePassword(at, scene.token(), NEW), (scene, refresh, change) -> {
            assertOneOf(refresh, 200, 401);
            assertOneOf(change, 200, 401);
            if (change.status() == 200) {
                scene.assertLive(change.field("token"));
            }
        });
    }

    @Test
    void a_refresh_in_flight_does_not_escape_the_cap_on_sessions() throws Exception {
        race(scene -> login(app, scene), RaceTest::refresh, RaceTest::login, (scene, refresh, login) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(200, login.status());
            assertEquals(MAX_SESSIONS, scene.liveKeys().size());
            assertTrue(scene.liveKeys().contains(app.key(login.field("token"))));
        });
    }

    @Test
    void of_a_refresh_and_a_logout_of_one_token_none_leaves_it() throws Exception {
        Request logout = (at, scene) -> at.send("POST", "/api/auth/logout", scene.token(), "");
        race(RaceTest::refresh, logout, (scene, refresh, loggedOut) -> {
            assertOneOf(loggedOut, 204, 401);
            if (refresh.status() == 200) {
                scene.assertLive(scene.other(), refresh.field("token"));
            } else {
                assertEquals(401, refresh.status());
                scene.assertLive(scene.other());
            }
        });
    }

    @Test
    void of_two_refreshes_of_one_token_one_succeeds() throws Exception {
        race(RaceTest::refresh, RaceTest::refresh, (scene, one, other) -> {
            assertEquals(200 + 401, one.status() + other.status());
            scene.assertLive(scene.other(), (one.status() == 200 ? one : other).field("token"));
        });
    }

    @Test
    void of_two_password_changes_one_succeeds() throws Exception {
        Request one = (at, scene) -> changePassword(at, scene.token(), NEW);
        Request other = (at, scene) -> changePassword(at, scene.other(), OTHER);
        race(one, other, (scene, first, second) -> {
            assertEquals(200 + 401, first.status() + second.status());
            boolean firstWon = first.status() == 200;
            scene.assertLive((firstWon ? first : second).field("token"));
            assertEquals(firstWon ? 200 : 401, scene.status(NEW));
            assertEquals(firstWon ? 401 : 200, scene.status(OTHER));
            assertEquals(401, scene.status(TestApp.PASSWORD));
        });
    }

    @Test
    void a_login_during_account_deletion_leaves_nothing_behind() throws Exception {
        race(RaceTest::login, RaceTest::deleteAccount, (scene, login, deleted) -> {
            assertOneOf(login, 200, 401);
            assertEquals(204, deleted.status());
            scene.assertLive();
            assertEquals(0, app.redis().dbsize(), () -> app.redis().keys("*").toString());
        });
    }

    @Test
    void a_refresh_during_account_deletion_leaves_nothing_behind() throws Exception {
        race(RaceTest::refresh, RaceTest::deleteAccount, (scene, refresh, deleted) -> {
            assertOneOf(refresh, 200, 401);
            assertEquals(204, deleted.status());
            assertEquals(0, app.redis().dbsize(), () -> app.redis().keys("*").toString());
        });
    }

    @Test
    void of_a_password_change_and_an_account_deletion_nothing_is_left_or_the_change_won() throws Exception {
        Request change = (at, scene) -> changePassword(at, scene.token(), NEW);
        race(change, RaceTest::deleteAccount, (scene, changed, deleted) -> {
            if (deleted.status() == 204) {
                assertEquals(401, changed.status());
                assertEquals(
                        0, app.redis().dbsize(), () -> app.redis().keys("*").toString());
            } else {
                assertEquals(401, deleted.status());
                scene.assertLive(changed.field("token"));
            }
        });
    }

    @Test
    void a_registration_never_finds_a_name_taken_that_a_deletion_frees() throws Exception {
        Consumer<Scenario> beginDeletion = scene -> {
            String key = "users:" + scene.name();
            app.redis().set(key, app.redis().get(key).replaceAll("\\$pbkdf2[^\"]*", ""));
        };
        race(beginDeletion, RaceTest::register, RaceTest::deleteAccount, (scene, registered, deleted) -> {
            assertOneOf(registered, 201, 503);
            assertEquals(204, deleted.status());
            assertEquals(registered.status() == 201 ? 200 : 401, scene.status(OTHER));
        });
    }

    /** As if the process had been suspended for longer than a reservation lasts. */
    @Test
    void a_registration_deletes_nothing_of_a_user_who_came_after_its_reservation() throws Exception {
        var done = new AtomicBoolean();
        for (int commands = 1; !done.get(); commands++) {
            assertTrue(commands < 20, "no reservation");
            String name = TestApp.newName();
            String key = "users:" + name;
            Callable<Answer> registerNext = () -> {
                Answer answer = second.register(name);
                if (app.redis().pttl(key) > 0) {
                    app.redis().del(key);
                    done.set(true);
                    answer = second.send("POST", "/api/todos", second.newToken(name), "{\"name\":\"mine\"}");
                }
                return answer;
            };
            Both<Answer> answers = interleaver.runAfter(commands, () -> first.register(name), registerNext);
            if (done.get()) {
                assertEquals(503, answers.first().status());
                assertEquals(201, answers.second().status());
                assertEquals(1, app.redis().hlen("todos:" + name));
            }
        }
    }

    @Test
    void a_login_and_a_todo_while_an_account_is_deleted_are_not_inherited_by_the_next_of_its_name() throws Exception {
        race(RaceTest::login, RaceTest::deleteAndRegisterAnew, (scene, login, deleted) -> {
            assertOneOf(login, 200, 401);
            assertEquals(204, deleted.status());
            scene.assertLive();
            assertEquals(401, scene.status(TestApp.PASSWORD));
            assertEquals(200, scene.status(OTHER));
        });
        Request todo = (at, scene) -> at.send("POST", "/api/todos", scene.token(), "{\"name\":\"late\"}");
        race(todo, RaceTest::deleteAndRegisterAnew, (scene, created, deleted) -> {
            assertOneOf(created, 201, 401);
            assertEquals(204, deleted.status());
            assertEquals(0, app.redis().exists("todos:" + scene.name()));
            scene.assertLive();
        });
    }
}
