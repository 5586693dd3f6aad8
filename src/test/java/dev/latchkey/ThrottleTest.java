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

/** How often a password may be tried. Each test comes from an address of its own. */
class ThrottleTest {
    private static final int PER_NAME = 10;
    private static final int PER_ADDRESS = 100;
    private static final int PER_NAME_AND_SITE = 40;
    private static final int PER_SITE = 1000;
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

    private static TestClient.Answer login(String from, String name, String password) {
        return app.send("POST", "/api/auth/login", TestApp.credentials(name, password), "X-Forwarded-For", from);
    }

    private String registered() {
        String name = TestApp.newName();
        app.send(
                "POST",
                "/api/auth/register",
                TestApp.credentials(name, TestApp.PASSWORD),
                "X-Forwarded-For",
                newAddress());
        return name;
    }

    private static void assertThrottled(TestClient.Answer answer, String key) {
        assertEquals(429, answer.status());
        assertEquals("application/problem+json", answer.header("Content-Type"));
        assertEquals("Too Many Requests", answer.field("title"));
        long wait = Long.parseLong(answer.header("Retry-After"));
        long rest = app.redis().pttl(key);
        assertTrue(wait * 1000 >= rest && wait * 1000 < rest + 10_000, "wait " + wait + " s, rest " + rest + " ms");
        assertTrue(wait <= WINDOW_SECONDS, "wait " + wait);
        assertEquals("", answer.header("WWW-Authenticate"));
    }

    private static String key(String from) {
        return "throttle:address:" + from;
    }

    private static String count(String from) {
        return app.redis().hget(key(from), "all");
    }

    private static void charge(String from, int count) {
        app.redis().hset(key(from), "all", Integer.toString(count));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void ten_wrong_passwords_for_a_name_from_an_address_are_the_most_whether_it_exists_or_not(boolean exists) {
        String name = exists ? registered() : TestApp.newName();
        for (int i = 0; i < PER_NAME; i++) {
            String anyCase = i % 2 == 0 ? name : name.toUpperCase(Locale.ROOT);
            assertEquals(401, login(address, anyCase, "wrong password").status());
        }
        assertThrottled(login(address, name, "wrong password"), key(address));
        assertThrottled(login(address, name, TestApp.PASSWORD), key(address));
        assertEquals(
                exists ? 200 : 401,
                login(newAddress(), name, TestApp.PASSWORD).status(),
                "nobody is locked out by a stranger");
        assertEquals(401, login(address, TestApp.newName(), "wrong password").status(), "other names are free");
    }

    @Test
    void when_the_window_has_passed_all_is_forgotten() {
        String name = registered();
        for (int i = 0; i <= PER_NAME; i++) {
            login(address, name, "wrong password");
        }
        app.redis().pexpire(key(address), 0);
        assertEquals(200, login(address, name, TestApp.PASSWORD).status());
    }

    @Test
    void a_good_login_clears_the_count() {
        String name = registered();
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < PER_NAME - 1; i++) {
                assertEquals(401, login(address, name, "wrong password").status());
            }
            assertEquals(200, login(address, name, TestApp.PASSWORD).status());
        }
    }

    /** A check before the hash and a count after it would let all of them in. */
    @Test
    void of_many_attempts_at_once_no_more_get_through() throws Exception {
        String name = registered();
        var statuses = TestApp.concurrently(
                40, () -> login(address, name, "wrong password").status());
        long tried = statuses.stream().filter(status -> status == 401).count();
        assertTrue(tried <= PER_NAME, tried + " were tried");
        assertTrue(statuses.contains(429));
    }

    @Test
    void a_hundred_attempts_from_an_address_are_the_most_whatever_the_names() {
        charge(address, PER_ADDRESS - 1);
        app.redis().expire(key(address), 77);
        String name = registered();
        assertEquals(401, login(address, TestApp.newName(), "wrong password").status());
        var answer = login(address, name, TestApp.PASSWORD);
        assertThrottled(answer, key(address));
        assertTrue(Integer.parseInt(answer.header("Retry-After")) <= 77);
        assertEquals(2, app.redis().hlen(key(address)), "it adds no names any more");
    }

    @Test
    void what_hashes_is_limited_by_address_and_what_does_not_is_not() {
        String name = registered();
        String token = login(newAddress(), name, TestApp.PASSWORD).field("token");
        charge(address, PER_ADDRESS);
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
        assertEquals(204, app.send("GET", "/api/auth/verify", "", headers).status(), "live tokens are not touched");
        assertEquals(200, app.send("GET", "/api/todos", "", headers).status());
        assertEquals(200, app.send("POST", "/api/auth/refresh", "", headers).status());
        assertEquals(200, login(newAddress(), name, TestApp.PASSWORD).status(), "nothing was changed");
    }

    @Test
    void each_route_that_hashes_is_charged() {
        String name = TestApp.newName();
        app.send("POST", "/api/auth/register", TestApp.credentials(name, TestApp.PASSWORD), "X-Forwarded-For", address);
        assertEquals("1", count(address));
        String token = login(address, name, TestApp.PASSWORD).field("token");
        assertEquals("1", count(address), "a correct login gives its count back");
        String[] headers = {"Authorization", "Bearer " + token, "X-Forwarded-For", address};
        app.send(
                "PUT",
                "/api/auth/password",
                "{\"currentPassword\":\"wrong\",\"newPassword\":\"a better password\"}",
                headers);
        assertEquals("3", count(address), "it tries two passwords");
        app.send("DELETE", "/api/auth/account", "{\"password\":\"wrong\"}", headers);
        assertEquals("4", count(address));
        assertEquals(400, app.send("POST", "/api/auth/login", "{}", headers).status());
        assertEquals("4", count(address), "what costs no hash costs nothing");
    }

    @Test
    void all_addresses_of_an_ipv6_64_are_one() {
        String prefix =
                "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":7:";
        String name = registered();
        for (int i = 0; i < PER_NAME; i++) {
            assertEquals(
                    401, login(prefix + i + ":0:0:1", name, "wrong password").status());
        }
        assertEquals(429, login(prefix + "f:e:d:c", name, TestApp.PASSWORD).status());
        assertEquals(
                200,
                login(prefix.replace(":7:", ":8:") + "0:0:0:1", name, TestApp.PASSWORD)
                        .status());
    }

    /** A provider may hand out a /48, which has 65,536 networks to guess from. */
    @Test
    void an_ipv6_48_has_a_limit_of_its_own() {
        String prefix =
                "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":";
        String name = registered();
        for (int i = 0; i < PER_NAME_AND_SITE; i++) {
            assertEquals(401, login(prefix + i + "::1", name, "wrong password").status());
        }
        assertThrottled(login(prefix + "ffff::1", name, TestApp.PASSWORD), key(prefix + ":/48"));
        assertEquals(
                401,
                login(prefix + "ffff::1", TestApp.newName(), "wrong password").status());
        charge(prefix + ":/48", PER_SITE);
        assertEquals(
                429,
                login(prefix + "fffe::1", TestApp.newName(), "wrong password").status());
    }

    @Test
    void one_network_that_is_over_its_limit_does_not_lock_out_its_site() {
        String prefix =
                "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":";
        charge(prefix + "1::/64", PER_ADDRESS);
        assertEquals(
                429, login(prefix + "1::1", TestApp.newName(), "wrong password").status());
        assertEquals(0, app.redis().exists(key(prefix + ":/48")));
    }

    /** An office or a web backend behind one address. */
    @Test
    void correct_logins_never_reach_a_limit() {
        String name = registered();
        for (int i = 0; i < PER_ADDRESS + 5; i++) {
            assertEquals(200, login(address, name, TestApp.PASSWORD).status());
        }
        assertEquals("0", count(address));
    }

    @ParameterizedTest
    @ValueSource(strings = {"PUT /api/auth/password", "DELETE /api/auth/account"})
    void a_stolen_token_does_not_help_to_guess_the_password(String route) {
        String name = registered();
        String token = login(newAddress(), name, TestApp.PASSWORD).field("token");
        String[] parts = route.split(" ", -1);
        String body = parts[0].equals("PUT")
                ? "{\"currentPassword\":\"wrong password\",\"newPassword\":\"another guess\"}"
                : "{\"password\":\"wrong password\"}";
        int guesses = parts[0].equals("PUT") ? 2 : 1;
        for (int i = 0; i < PER_NAME; i += guesses) {
            var answer =
                    app.send(parts[0], parts[1], body, "Authorization", "Bearer " + token, "X-Forwarded-For", address);
            assertEquals(401, answer.status());
        }
        assertThrottled(
                app.send(parts[0], parts[1], body, "Authorization", "Bearer " + token, "X-Forwarded-For", address),
                key(address));
        assertEquals(429, login(address, name, TestApp.PASSWORD).status(), "a login counts alike");
        String alarm = app.redis().keys("throttle:name:*").stream()
                .filter(key -> app.redis().hget(key, "all").equals(Integer.toString(PER_NAME / guesses)))
                .findFirst()
                .orElse("");
        assertFalse(alarm.isEmpty(), "failures are counted for the alarm");
    }

    /** A login that spans the end of a window must not make room in the next one. */
    @Test
    void a_count_is_never_given_back_to_a_later_window() throws Exception {
        String name = registered();
        try (var redis = new RedisAdmin(TestRedis.url(), false);
                var costly = TestApp.start(
                        "LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1", "PBKDF2_ITERATIONS", "1000000")) {
            var running = new FutureTask<>(() -> costly.send(
                    "POST",
                    "/api/auth/login",
                    TestApp.credentials(name, TestApp.PASSWORD),
                    "X-Forwarded-For",
                    address));
            Thread.startVirtualThread(running);
            Load.await(() -> count(address) != null);
            redis.commands().del(key(address));
            login(address, TestApp.newName(), "wrong password");
            assertEquals(200, running.get().status());
            assertEquals("1", count(address));
        }
    }

    @Test
    void a_counter_without_an_end_gets_one() {
        String key = key(address);
        charge(address, 5);
        login(address, TestApp.newName(), "wrong password");
        long rest = app.redis().ttl(key);
        assertTrue(rest > 0 && rest <= WINDOW_SECONDS, "rest " + rest);
    }

    @Test
    void counters_do_not_hold_what_was_typed_as_a_name() {
        login(address, "hunter2hunter2", "wrong password");
        var written =
                app.redis().keys("throttle:*") + app.redis().hkeys(key(address)).toString();
        assertFalse(written.contains("hunter2"), written);
        assertEquals(3, app.redis().hlen(key(address)), "all, the name's digest, and the window");
    }

    /** 503 says "try again": whoever does must not be told that it was too often. */
    @Test
    void a_login_that_waited_too_long_for_its_hash_is_not_charged() throws Exception {
        try (var costly =
                TestApp.start("LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1", "PBKDF2_ITERATIONS", "5000000")) {
            int flood = Runtime.getRuntime().availableProcessors() * 8 + 16;
            var turn = new AtomicInteger();
            List<Integer> statuses = TestApp.concurrently(flood, () -> {
                String name = TestApp.newName() + turn.incrementAndGet();
                return costly.send(
                                "POST",
                                "/api/auth/login",
                                TestApp.credentials(name, "wrong password"),
                                "X-Forwarded-For",
                                address)
                        .status();
            });
            long hashed = statuses.stream().filter(status -> status == 401).count();
            assertTrue(hashed < flood, "nobody waited too long");
            assertEquals(Long.toString(hashed), count(address));
            var counters = app.redis().hgetall(key(address));
            counters.remove("window");
            var counts = counters.values().stream().mapToInt(Integer::parseInt).sum() / 2;
            assertEquals(hashed, counts);
        }
    }

    @Test
    void it_can_be_switched_off() throws Exception {
        try (var open = TestApp.start("LOGIN_THROTTLE", "false", "TRUSTED_PROXY_HOPS", "1")) {
            String name = TestApp.newName();
            for (int i = 0; i < PER_ADDRESS + 1; i++) {
                var answer = open.send(
                        "POST",
                        "/api/auth/login",
                        TestApp.credentials(name, "wrong password"),
                        "X-Forwarded-For",
                        address);
                assertEquals(401, answer.status());
            }
            assertEquals(0, open.redis().exists(key(address)));
        }
    }

    @Test
    void an_unknown_name_is_answered_as_a_wrong_password_to_the_byte() {
        String known = registered();
        var wrong = login(address, known, "wrong password");
        var unknown = login(address, TestApp.newName(), "wrong password");
        assertEquals(wrong.status(), unknown.status());
        assertEquals(wrong.text(), unknown.text());
        assertEquals(comparable(wrong), comparable(unknown));
        assertFalse(comparable(wrong).isEmpty());
        var others = IntStream.range(0, PER_NAME)
                .mapToObj(_ -> login(address, known, "wrong password"))
                .toList();
        var throttledKnown = others.getLast();
        String name = TestApp.newName();
        for (int i = 0; i < PER_NAME; i++) {
            login(address, name, "wrong password");
        }
        var throttledUnknown = login(address, name, "wrong password");
        assertEquals(429, throttledKnown.status());
        assertEquals(429, throttledUnknown.status());
        assertEquals(digitsAway(throttledKnown.text()), digitsAway(throttledUnknown.text()));
    }

    private static String digitsAway(String text) {
        return text.replaceAll("\\d+", "N");
    }

    // a request has an id and a time of its own
    private static Map<String, List<String>> comparable(TestClient.Answer answer) {
        var headers = new HashMap<>(answer.headers());
        headers.remove("x-request-id");
        headers.remove("date");
        return headers;
    }
}
