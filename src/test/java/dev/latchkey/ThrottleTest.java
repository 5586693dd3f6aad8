package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Load;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestClient.Answer;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Limits on password guessing. Each test uses its own client address, so that tests do not share counters. */
class ThrottleTest {
    private static final String WRONG = "wrong password";
    private static final int MAX_PER_NAME = 10;
    private static final int MAX_PER_ADDRESS = 100;
    private static final int MAX_PER_NAME_AND_SITE = 40;
    private static final int MAX_PER_SITE = 1000;
    private static final int WINDOW_SECONDS = 900;

    @AutoClose
    private static TestApp app;

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start("LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1");
    }

    private final String address = TestApp.newAddress();
    private TestClient client;

    @BeforeEach
    void connect() {
        client = app.from(address);
    }

    private static TestClient elsewhere() {
        return app.from(TestApp.newAddress());
    }

    private static String registerUser() {
        String name = TestApp.newName();
        elsewhere().register(name);
        return name;
    }

    private static void assertThrottled(Answer response, String key) {
        long retrySeconds = Long.parseLong(expect(429, response).header("Retry-After"));
        assertEquals("Too many attempts. Try again in " + retrySeconds + " seconds.", response.field("detail"));
        long remainingMillis = app.redis().pttl(key);
        assertTrue(
                retrySeconds * 1000 >= remainingMillis && retrySeconds * 1000 < remainingMillis + 10_000,
                "Retry-After: " + retrySeconds + " s, remaining window: " + remainingMillis + " ms");
        assertEquals("", response.header("WWW-Authenticate"));
    }

    private static String key(String clientAddress) {
        return "throttle:address:" + clientAddress;
    }

    private static String count(String clientAddress) {
        return app.redis().hget(key(clientAddress), "all");
    }

    private static void setCount(String clientAddress, int count) {
        app.redis().hset(key(clientAddress), "all", Integer.toString(count));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void ten_wrong_passwords_per_username_and_address_are_the_limit_whether_or_not_the_user_exists(boolean exists) {
        String name = exists ? registerUser() : TestApp.newName();
        for (int i = 0; i < MAX_PER_NAME; i++) {
            expect(401, client.login(i % 2 == 0 ? name : name.toUpperCase(Locale.ROOT), WRONG));
        }
        assertThrottled(client.login(name, WRONG), key(address));
        assertThrottled(client.login(name, TestApp.PASSWORD), key(address));
        // A client can neither lock out the user, nor is it limited for other usernames.
        expect(exists ? 200 : 401, elsewhere().login(name, TestApp.PASSWORD));
        expect(401, client.login(TestApp.newName(), WRONG));
    }

    @Test
    void the_end_of_the_window_resets_the_limits() {
        String name = registerUser();
        for (int i = 0; i <= MAX_PER_NAME; i++) {
            client.login(name, WRONG);
        }
        app.redis().pexpire(key(address), 0);
        expect(200, client.login(name, TestApp.PASSWORD));
    }

    @Test
    void a_successful_login_resets_the_count_of_the_username() {
        String name = registerUser();
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < MAX_PER_NAME - 1; i++) {
                expect(401, client.login(name, WRONG));
            }
            expect(200, client.login(name, TestApp.PASSWORD));
        }
    }

    /**
     * If an attempt were checked before its hash is computed, but counted only afterwards, all concurrent attempts
     * would pass the check.
     */
    @Test
    void concurrent_attempts_cannot_exceed_the_limit() throws Exception {
        String name = registerUser();
        var statuses = TestApp.concurrently(40, () -> client.login(name, WRONG).status());
        long allowed = statuses.stream().filter(status -> status == 401).count();
        assertTrue(allowed <= MAX_PER_NAME, "Allowed attempts: " + allowed);
        assertTrue(statuses.contains(429));
    }

    /** Those in flight may be correct, and then give their counts back. */
    @Test
    void an_attempt_that_only_waits_for_others_in_flight_may_be_repeated_after_a_second() {
        setCount(address, MAX_PER_ADDRESS);
        app.redis().hset(key(address), "busy", "1");
        app.redis().expire(key(address), 77);
        assertEquals("1", expect(429, client.login(TestApp.newName(), WRONG)).header("Retry-After"));
        app.redis().hset(key(address), "busy", "0");
        assertThrottled(client.login(TestApp.newName(), WRONG), key(address));
    }

    @Test
    void one_hundred_attempts_per_address_are_the_limit_for_all_usernames_together() {
        setCount(address, MAX_PER_ADDRESS - 1);
        app.redis().expire(key(address), 77);
        expect(401, client.login(TestApp.newName(), WRONG));
        var response = client.login(registerUser(), TestApp.PASSWORD);
        assertThrottled(response, key(address));
        assertTrue(Integer.parseInt(response.header("Retry-After")) <= 77);
        Map<String, String> fields = app.redis().hgetall(key(address));
        assertEquals("1", fields.remove("refused"));
        assertEquals(2, fields.size(), "An address above its limit must not add usernames.");
    }

    @Test
    void only_routes_that_hash_passwords_are_limited_per_address() {
        String name = registerUser();
        String token = elsewhere().login(name, TestApp.PASSWORD).field("token");
        setCount(address, MAX_PER_ADDRESS);
        for (Answer refused : List.of(
                client.register(TestApp.newName()),
                client.changePassword(token, TestApp.PASSWORD, "a better password"),
                client.deleteAccount(token, TestApp.PASSWORD))) {
            assertThrottled(refused, key(address));
        }
        // Valid tokens are not affected, and the refused requests have changed nothing.
        expect(200, client.verify(token));
        expect(200, client.get("/api/todos", token));
        expect(200, client.refresh(token));
        expect(200, elsewhere().login(name, TestApp.PASSWORD));
    }

    @Test
    void each_password_that_is_hashed_counts_as_an_attempt() {
        String name = TestApp.newName();
        client.register(name);
        assertEquals("1", count(address));
        String token = client.login(name, TestApp.PASSWORD).field("token");
        assertEquals("1", count(address), "A successful login must give its attempt back.");
        client.changePassword(token, WRONG, "a better password");
        assertEquals("3", count(address), "A password change must count twice, because it tries two passwords.");
        client.deleteAccount(token, WRONG);
        assertEquals("4", count(address));
        expect(400, client.send("POST", "/api/auth/login", "{}"));
        assertEquals("4", count(address), "A request that computes no hash must not be counted.");
    }

    private static String newSite() {
        return "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":";
    }

    @Test
    void all_addresses_of_an_ipv6_64_share_one_limit() {
        String site = newSite();
        String name = registerUser();
        for (int i = 0; i < MAX_PER_NAME; i++) {
            expect(401, app.from(site + "7:" + i + ":0:0:1").login(name, WRONG));
        }
        expect(429, app.from(site + "7:f:e:d:c").login(name, TestApp.PASSWORD));
        expect(200, app.from(site + "8:0:0:0:1").login(name, TestApp.PASSWORD));
    }

    /** A provider may assign a whole /48, so that one attacker can guess from 65,536 networks. */
    @Test
    void an_ipv6_48_has_its_own_limit() {
        String site = newSite();
        String name = registerUser();
        for (int i = 0; i < MAX_PER_NAME_AND_SITE; i++) {
            expect(401, app.from(site + i + "::1").login(name, WRONG));
        }
        TestClient next = app.from(site + "ffff::1");
        assertThrottled(next.login(name, TestApp.PASSWORD), key(site + ":/48"));
        expect(401, next.login(TestApp.newName(), WRONG));
        setCount(site + ":/48", MAX_PER_SITE);
        expect(429, next.login(TestApp.newName(), WRONG));
    }

    @Test
    void a_network_above_its_limit_does_not_lock_out_its_site() {
        String site = newSite();
        setCount(site + "1::/64", MAX_PER_ADDRESS);
        expect(429, app.from(site + "1::1").login(TestApp.newName(), WRONG));
        assertEquals(0, app.redis().exists(key(site + ":/48")));
    }

    /** An office or a web backend may send the logins of many users from one address. */
    @Test
    void successful_logins_never_reach_a_limit() {
        String name = registerUser();
        for (int i = 0; i < MAX_PER_ADDRESS + 5; i++) {
            expect(200, client.login(name, TestApp.PASSWORD));
        }
        assertEquals("0", count(address));
    }

    @ParameterizedTest
    @ValueSource(strings = {"password change", "account deletion"})
    void a_stolen_token_does_not_help_to_guess_the_password(String request) {
        String name = registerUser();
        String token = elsewhere().login(name, TestApp.PASSWORD).field("token");
        boolean isChange = request.equals("password change");
        int guesses = isChange ? 2 : 1;
        Supplier<Answer> guess = () ->
                isChange ? client.changePassword(token, WRONG, "another guess") : client.deleteAccount(token, WRONG);
        for (int i = 0; i < MAX_PER_NAME; i += guesses) {
            expect(401, guess.get());
        }
        assertThrottled(guess.get(), key(address));
        expect(429, client.login(name, TestApp.PASSWORD)); // logins share the limit of this route
    }

    private static TestApp startWithIterations(int iterations) throws Exception {
        String[] settings = {
            "LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1", "PBKDF2_ITERATIONS", Integer.toString(iterations)
        };
        return TestApp.start(settings);
    }

    /** A login that is in flight when its window ends must not allow an extra attempt in the next window. */
    @Test
    void an_attempt_is_never_given_back_to_a_later_window() throws Exception {
        String name = registerUser();
        try (var slowApp = startWithIterations(1_000_000)) {
            var pendingLogin = new FutureTask<>(() -> slowApp.from(address).login(name, TestApp.PASSWORD));
            Thread.startVirtualThread(pendingLogin);
            Load.await(() -> count(address) != null);
            app.redis().del(key(address));
            client.login(TestApp.newName(), WRONG);
            expect(200, pendingLogin.get());
            assertEquals("1", count(address));
        }
    }

    @Test
    void a_counter_without_a_ttl_gets_a_ttl() {
        setCount(address, 5);
        client.login(TestApp.newName(), WRONG);
        long ttl = app.redis().ttl(key(address));
        assertTrue(ttl > 0 && ttl <= WINDOW_SECONDS, "TTL: " + ttl);
    }

    /** A user may have typed a password into the username field. */
    @Test
    void counters_do_not_contain_the_username_as_typed() {
        client.login("hunter2hunter2", WRONG);
        var written =
                app.redis().keys("throttle:*") + app.redis().hkeys(key(address)).toString();
        assertFalse(written.contains("hunter2"), written);
        assertEquals(
                3, app.redis().hlen(key(address)), "The fields must be: all, the digest of the username, and window.");
    }

    /** A 503 asks the client to retry. The retry must not be refused because of too many attempts. */
    @Test
    void a_login_that_times_out_waiting_for_its_hash_is_not_counted() throws Exception {
        try (var slowApp = startWithIterations(5_000_000)) {
            int flood = Runtime.getRuntime().availableProcessors() * 8 + 16;
            TestClient slowClient = slowApp.from(address);
            List<Integer> statuses = TestApp.concurrently(
                    flood, () -> slowClient.login(TestApp.newName(), WRONG).status());
            long hashed = statuses.stream().filter(status -> status == 401).count();
            assertTrue(hashed < flood, "At least one login must time out.");
            assertEquals(Long.toString(hashed), count(address));
            var counters = app.redis().hgetall(key(address));
            counters.remove("window");
            var counts = counters.values().stream().mapToInt(Integer::parseInt).sum() / 2;
            assertEquals(hashed, counts);
        }
    }

    @Test
    void throttling_can_be_disabled() throws Exception {
        try (var unthrottled = TestApp.start("LOGIN_THROTTLE", "false", "TRUSTED_PROXY_HOPS", "1")) {
            String name = TestApp.newName();
            for (int i = 0; i < MAX_PER_ADDRESS + 1; i++) {
                expect(401, unthrottled.from(address).login(name, WRONG));
            }
            assertEquals(0, unthrottled.redis().exists(key(address)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "wrong horse battery", "correct horse batter", "Correct horse battery"})
    void a_wrong_password_and_an_unknown_username_get_byte_identical_responses(String password) {
        String known = registerUser();
        Answer wrong = expect(401, client.login(known, password));
        assertEquals("Bearer realm=\"latchkey\"", wrong.header("WWW-Authenticate"));
        for (String unknown : List.of(TestApp.newName(), "", "no name at all", "x".repeat(2000))) {
            Answer response = expect(401, client.login(unknown, password));
            assertEquals(wrong.text(), response.text());
            assertEquals(comparableHeaders(wrong), comparableHeaders(response));
        }
        assertEquals(List.of(), app.liveKeys(known));
    }

    /** Returns the headers, except for the request id and the date, which differ between any two requests. */
    private static Map<String, List<String>> comparableHeaders(Answer response) {
        var headers = new HashMap<>(response.headers());
        headers.remove("x-request-id");
        headers.remove("date");
        return headers;
    }
}
