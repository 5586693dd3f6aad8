package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Load;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestRedis;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Limits on password guessing. Each test uses its own client address, so that tests do not share counters. */
class ThrottleTest {
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

    private final String address = newAddress();

    private static String newAddress() {
        var random = ThreadLocalRandom.current();
        return "10." + random.nextInt(256) + "." + random.nextInt(256) + "." + random.nextInt(256);
    }

    private static TestClient.Answer login(String clientAddress, String name, String password) {
        return app.send(
                "POST", "/api/auth/login", TestApp.credentials(name, password), "X-Forwarded-For", clientAddress);
    }

    private String registerUser() {
        String name = TestApp.newName();
        app.send(
                "POST",
                "/api/auth/register",
                TestApp.credentials(name, TestApp.PASSWORD),
                "X-Forwarded-For",
                newAddress());
        return name;
    }

    private static void assertThrottled(TestClient.Answer response, String key) {
        assertEquals(429, response.status());
        assertEquals("application/problem+json", response.header("Content-Type"));
        assertEquals("Too Many Requests", response.field("title"));
        long retrySeconds = Long.parseLong(response.header("Retry-After"));
        long remainingMillis = app.redis().pttl(key);
        assertTrue(
                retrySeconds * 1000 >= remainingMillis && retrySeconds * 1000 < remainingMillis + 10_000,
                "Retry-After: " + retrySeconds + " s, remaining window: " + remainingMillis + " ms");
        assertTrue(retrySeconds <= WINDOW_SECONDS, "Retry-After: " + retrySeconds + " s");
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
            String anyCase = i % 2 == 0 ? name : name.toUpperCase(Locale.ROOT);
            assertEquals(401, login(address, anyCase, "wrong password").status());
        }
        assertThrottled(login(address, name, "wrong password"), key(address));
        assertThrottled(login(address, name, TestApp.PASSWORD), key(address));
        assertEquals(
                exists ? 200 : 401,
                login(newAddress(), name, TestApp.PASSWORD).status(),
                "A client must not be able to lock out the user.");
        assertEquals(
                401,
                login(address, TestApp.newName(), "wrong password").status(),
                "Other usernames must not be limited.");
    }

    @Test
    void the_end_of_the_window_resets_the_limits() {
        String name = registerUser();
        for (int i = 0; i <= MAX_PER_NAME; i++) {
            login(address, name, "wrong password");
        }
        app.redis().pexpire(key(address), 0);
        assertEquals(200, login(address, name, TestApp.PASSWORD).status());
    }

    @Test
    void a_successful_login_resets_the_count_of_the_username() {
        String name = registerUser();
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < MAX_PER_NAME - 1; i++) {
                assertEquals(401, login(address, name, "wrong password").status());
            }
            assertEquals(200, login(address, name, TestApp.PASSWORD).status());
        }
    }

    /**
     * If an attempt were checked before its hash is computed, but counted only afterwards, all concurrent attempts
     * would pass the check.
     */
    @Test
    void concurrent_attempts_cannot_exceed_the_limit() throws Exception {
        String name = registerUser();
        var statuses = TestApp.concurrently(
                40, () -> login(address, name, "wrong password").status());
        long allowed = statuses.stream().filter(status -> status == 401).count();
        assertTrue(allowed <= MAX_PER_NAME, "Allowed attempts: " + allowed);
        assertTrue(statuses.contains(429));
    }

    @Test
    void one_hundred_attempts_per_address_are_the_limit_for_all_usernames_together() {
        setCount(address, MAX_PER_ADDRESS - 1);
        app.redis().expire(key(address), 77);
        String name = registerUser();
        assertEquals(401, login(address, TestApp.newName(), "wrong password").status());
        var response = login(address, name, TestApp.PASSWORD);
        assertThrottled(response, key(address));
        assertTrue(Integer.parseInt(response.header("Retry-After")) <= 77);
        assertEquals(2, app.redis().hlen(key(address)), "An address above its limit must not add usernames.");
    }

    @Test
    void only_routes_that_hash_passwords_are_limited_per_address() {
        String name = registerUser();
        String token = login(newAddress(), name, TestApp.PASSWORD).field("token");
        setCount(address, MAX_PER_ADDRESS);
        String[] headers = {"Authorization", "Bearer " + token, "X-Forwarded-For", address};
        String key = key(address);
        assertThrottled(
                app.send(
                        "POST",
                        "/api/auth/register",
                        TestApp.credentials(TestApp.newName(), TestApp.PASSWORD),
                        headers),
                key);
        assertThrottled(
                app.send(
                        "PUT",
                        "/api/auth/password",
                        "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"a better password\"}",
                        headers),
                key);
        assertThrottled(
                app.send("DELETE", "/api/auth/account", "{\"password\":\"" + TestApp.PASSWORD + "\"}", headers), key);
        assertEquals(
                200, app.send("GET", "/api/auth/verify", "", headers).status(), "Valid tokens must not be affected.");
        assertEquals(200, app.send("GET", "/api/todos", "", headers).status());
        assertEquals(200, app.send("POST", "/api/auth/refresh", "", headers).status());
        assertEquals(
                200,
                login(newAddress(), name, TestApp.PASSWORD).status(),
                "A refused request must not change the account.");
    }

    @Test
    void each_password_that_is_hashed_counts_as_an_attempt() {
        String name = TestApp.newName();
        app.send("POST", "/api/auth/register", TestApp.credentials(name, TestApp.PASSWORD), "X-Forwarded-For", address);
        assertEquals("1", count(address));
        String token = login(address, name, TestApp.PASSWORD).field("token");
        assertEquals("1", count(address), "A successful login must give its attempt back.");
        String[] headers = {"Authorization", "Bearer " + token, "X-Forwarded-For", address};
        app.send(
                "PUT",
                "/api/auth/password",
                "{\"currentPassword\":\"wrong\",\"newPassword\":\"a better password\"}",
                headers);
        assertEquals(
                "3", count(address), "A password change must count as two attempts, because it tries two passwords.");
        app.send("DELETE", "/api/auth/account", "{\"password\":\"wrong\"}", headers);
        assertEquals("4", count(address));
        assertEquals(400, app.send("POST", "/api/auth/login", "{}", headers).status());
        assertEquals("4", count(address), "A request that computes no hash must not be counted.");
    }

    @Test
    void all_addresses_of_an_ipv6_64_share_one_limit() {
        String prefix =
                "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":7:";
        String name = registerUser();
        for (int i = 0; i < MAX_PER_NAME; i++) {
            assertEquals(
                    401, login(prefix + i + ":0:0:1", name, "wrong password").status());
        }
        assertEquals(429, login(prefix + "f:e:d:c", name, TestApp.PASSWORD).status());
        assertEquals(
                200,
                login(prefix.replace(":7:", ":8:") + "0:0:0:1", name, TestApp.PASSWORD)
                        .status());
    }

    /** A provider may assign a whole /48, so that one attacker can guess from 65,536 networks. */
    @Test
    void an_ipv6_48_has_its_own_limit() {
        String prefix =
                "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":";
        String name = registerUser();
        for (int i = 0; i < MAX_PER_NAME_AND_SITE; i++) {
            assertEquals(401, login(prefix + i + "::1", name, "wrong password").status());
        }
        assertThrottled(login(prefix + "ffff::1", name, TestApp.PASSWORD), key(prefix + ":/48"));
        assertEquals(
                401,
                login(prefix + "ffff::1", TestApp.newName(), "wrong password").status());
        setCount(prefix + ":/48", MAX_PER_SITE);
        assertEquals(
                429,
                login(prefix + "fffe::1", TestApp.newName(), "wrong password").status());
    }

    @Test
    void a_network_above_its_limit_does_not_lock_out_its_site() {
        String prefix =
                "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":";
        setCount(prefix + "1::/64", MAX_PER_ADDRESS);
        assertEquals(
                429, login(prefix + "1::1", TestApp.newName(), "wrong password").status());
        assertEquals(0, app.redis().exists(key(prefix + ":/48")));
    }

    /** An office or a web backend may send the logins of many users from one address. */
    @Test
    void successful_logins_never_reach_a_limit() {
        String name = registerUser();
        for (int i = 0; i < MAX_PER_ADDRESS + 5; i++) {
            assertEquals(200, login(address, name, TestApp.PASSWORD).status());
        }
        assertEquals("0", count(address));
    }

    @ParameterizedTest
    @ValueSource(strings = {"PUT /api/auth/password", "DELETE /api/auth/account"})
    void a_stolen_token_does_not_help_to_guess_the_password(String route) {
        String name = registerUser();
        String token = login(newAddress(), name, TestApp.PASSWORD).field("token");
        String[] parts = route.split(" ", -1);
        String body = parts[0].equals("PUT")
                ? "{\"currentPassword\":\"wrong password\",\"newPassword\":\"another guess\"}"
                : "{\"password\":\"wrong password\"}";
        int guesses = parts[0].equals("PUT") ? 2 : 1;
        for (int i = 0; i < MAX_PER_NAME; i += guesses) {
            var response =
                    app.send(parts[0], parts[1], body, "Authorization", "Bearer " + token, "X-Forwarded-For", address);
            assertEquals(401, response.status());
        }
        assertThrottled(
                app.send(parts[0], parts[1], body, "Authorization", "Bearer " + token, "X-Forwarded-For", address),
                key(address));
        assertEquals(
                429, login(address, name, TestApp.PASSWORD).status(), "Logins must share the limit of this route.");
    }

    /** A login that is in flight when its window ends must not allow an extra attempt in the next window. */
    @Test
    void an_attempt_is_never_given_back_to_a_later_window() throws Exception {
        String name = registerUser();
        try (var redis = new RedisAdmin(TestRedis.url(), false);
                var slowApp = TestApp.start(
                        "LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1", "PBKDF2_ITERATIONS", "1000000")) {
            var pendingLogin = new FutureTask<>(() -> slowApp.send(
                    "POST",
                    "/api/auth/login",
                    TestApp.credentials(name, TestApp.PASSWORD),
                    "X-Forwarded-For",
                    address));
            Thread.startVirtualThread(pendingLogin);
            Load.await(() -> count(address) != null);
            redis.commands().del(key(address));
            login(address, TestApp.newName(), "wrong password");
            assertEquals(200, pendingLogin.get().status());
            assertEquals("1", count(address));
        }
    }

    @Test
    void a_counter_without_a_ttl_gets_a_ttl() {
        String key = key(address);
        setCount(address, 5);
        login(address, TestApp.newName(), "wrong password");
        long ttl = app.redis().ttl(key);
        assertTrue(ttl > 0 && ttl <= WINDOW_SECONDS, "TTL: " + ttl);
    }

    /** A user may have typed a password into the username field. */
    @Test
    void counters_do_not_contain_the_username_as_typed() {
        login(address, "hunter2hunter2", "wrong password");
        var written =
                app.redis().keys("throttle:*") + app.redis().hkeys(key(address)).toString();
        assertFalse(written.contains("hunter2"), written);
        assertEquals(
                3, app.redis().hlen(key(address)), "The fields must be: all, the digest of the username, and window.");
    }

    /** A 503 asks the client to retry. The retry must not be refused because of too many attempts. */
    @Test
    void a_login_that_times_out_waiting_for_its_hash_is_not_counted() throws Exception {
        try (var slowApp =
                TestApp.start("LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1", "PBKDF2_ITERATIONS", "5000000")) {
            int flood = Runtime.getRuntime().availableProcessors() * 8 + 16;
            var nameSuffix = new AtomicInteger();
            List<Integer> statuses = TestApp.concurrently(flood, () -> {
                String name = TestApp.newName() + nameSuffix.incrementAndGet();
                return slowApp.send(
                                "POST",
                                "/api/auth/login",
                                TestApp.credentials(name, "wrong password"),
                                "X-Forwarded-For",
                                address)
                        .status();
            });
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
                var response = unthrottled.send(
                        "POST",
                        "/api/auth/login",
                        TestApp.credentials(name, "wrong password"),
                        "X-Forwarded-For",
                        address);
                assertEquals(401, response.status());
            }
            assertEquals(0, unthrottled.redis().exists(key(address)));
        }
    }

    @Test
    void a_wrong_password_and_an_unknown_username_get_byte_identical_responses() {
        String known = registerUser();
        var wrong = login(address, known, "wrong password");
        var unknown = login(address, TestApp.newName(), "wrong password");
        assertEquals(wrong.status(), unknown.status());
        assertEquals(wrong.text(), unknown.text());
        assertEquals(comparableHeaders(wrong), comparableHeaders(unknown));
        assertFalse(comparableHeaders(wrong).isEmpty());
        var attempts = IntStream.range(0, MAX_PER_NAME)
                .mapToObj(_ -> login(address, known, "wrong password"))
                .toList();
        var throttledKnown = attempts.getLast();
        String name = TestApp.newName();
        for (int i = 0; i < MAX_PER_NAME; i++) {
            login(address, name, "wrong password");
        }
        var throttledUnknown = login(address, name, "wrong password");
        assertEquals(429, throttledKnown.status());
        assertEquals(429, throttledUnknown.status());
        assertEquals(withoutDigits(throttledKnown.text()), withoutDigits(throttledUnknown.text()));
    }

    private static String withoutDigits(String text) {
        return text.replaceAll("\\d+", "N");
    }

    /** Returns the headers, except for the request id and the date, which differ between any two requests. */
    private static Map<String, List<String>> comparableHeaders(TestClient.Answer response) {
        var headers = new HashMap<>(response.headers());
        headers.remove("x-request-id");
        headers.remove("date");
        return headers;
    }
}
