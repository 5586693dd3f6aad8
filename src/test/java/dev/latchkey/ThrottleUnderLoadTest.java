package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TestRedis;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The limits on password guessing with parallel requests: they refuse guesses, and no correct password. */
class ThrottleUnderLoadTest {
    private static final int MAX_PER_NAME = 10;
    private static final int MAX_PER_ADDRESS = 100;

    @AutoClose
    private static TestApp app;

    @BeforeAll
    static void start() throws Exception {
        app = TestApp.start("LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1", "MAX_SESSIONS_PER_USER", "1000");
    }

    private final String address = TestApp.newAddress();

    private static TestClient.Answer login(TestApp app, String address, String name, String password) {
        return app.from(address).login(name, password);
    }

    private static String registerUser() {
        String name = TestApp.newName();
        expect(201, app.from(TestApp.newAddress()).register(name));
        return name;
    }

    private static List<String> counts(String address) {
        var fields = app.redis().hgetall("throttle:address:" + address);
        fields.remove("window");
        fields.remove("refused");
        return List.copyOf(fields.values());
    }

    @Test
    void correct_logins_in_parallel_lock_nobody_out() throws Exception {
        String name = registerUser();
        var statuses = TestApp.concurrently(
                300, () -> login(app, address, name, TestApp.PASSWORD).status());
        assertTrue(Set.of(200, 503).containsAll(statuses), statuses::toString);
        assertEquals(
                statuses.stream().filter(status -> status == 200).count(),
                app.redis().hlen("sessions:" + name));
        assertEquals(Set.of("0"), Set.copyOf(counts(address)));
        assertEquals(200, login(app, address, name, TestApp.PASSWORD).status());
    }

    /** A client with a stale password repeats its login. Other clients behind its address must not notice. */
    @Test
    void refused_attempts_do_not_count_against_the_address() {
        String stale = registerUser();
        for (int i = 0; i < MAX_PER_ADDRESS + 30; i++) {
            int status = login(app, address, stale, "stale password").status();
            assertEquals(i < MAX_PER_NAME ? 401 : 429, status);
        }
        assertEquals(200, login(app, address, registerUser(), TestApp.PASSWORD).status());
    }

    @Test
    void a_password_that_an_operator_sets_can_be_used_immediately() throws Exception {
        String name = registerUser();
        String other = registerUser();
        for (String user : List.of(name, other)) {
            for (int i = 0; i <= MAX_PER_NAME; i++) {
                login(app, address, user, "wrong password");
            }
        }
        try (var core = Core.open(TestApp.config(TestRedis.url()))) {
            new AccountAdministration(core.accounts()).setPassword(new Username(name), "the operator's password");
        }
        assertEquals(200, login(app, address, name, "the operator's password").status());
        assertEquals(429, login(app, address, other, TestApp.PASSWORD).status());
        assertEquals("20", app.redis().hget("throttle:address:" + address, "all"), "the address is not opened");
    }

    /** RFC 6052 §2.1 */
    @Test
    void behind_nat64_each_ipv4_address_has_its_own_limit() {
        String prefix = "64:ff9b::";
        String name = registerUser();
        for (int i = 0; i < MAX_PER_NAME; i++) {
            assertEquals(
                    401, login(app, prefix + address, name, "wrong password").status());
        }
        assertEquals(429, login(app, prefix + address, name, TestApp.PASSWORD).status());
        assertEquals(
                429,
                login(app, address, name, TestApp.PASSWORD).status(),
                "It is the same client with and without NAT64.");
        assertEquals(
                200,
                login(app, prefix + TestApp.newAddress(), name, TestApp.PASSWORD)
                        .status());
    }

    @Test
    void above_the_limit_of_a_site_nothing_is_stored_for_its_networks() {
        String site =
                "2001:db8:" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x1000, 0xffff)) + ":";
        app.redis().hset("throttle:address:" + site + ":/48", "all", "1000");
        for (int i = 0; i < 20; i++) {
            assertEquals(
                    429,
                    login(app, site + i + "::1", TestApp.newName(), "wrong password")
                            .status());
        }
        assertEquals(List.of(), app.redis().keys("throttle:address:" + site + "*/64"));
        assertEquals(List.of("1000"), counts(site + ":/48"));
    }

    /** An address with many accounts of its own gets no 429, because its passwords are right. */
    @Test
    void one_address_cannot_keep_the_hash_threads_for_itself() throws Exception {
        String own = registerUser();
        String other = registerUser();
        try (var slow = TestApp.start(
                        "LOGIN_THROTTLE", "true", "TRUSTED_PROXY_HOPS", "1", "PBKDF2_ITERATIONS", "1000000");
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var done = new AtomicBoolean();
            for (int i = 0; i < 40 * Runtime.getRuntime().availableProcessors(); i++) {
                threads.execute(() -> {
                    while (!done.get()) {
                        login(slow, address, own, TestApp.PASSWORD);
                    }
                });
            }
            Load.await(() -> login(slow, address, own, TestApp.PASSWORD).status() == 503);
            for (int i = 0; i < 5; i++) {
                assertEquals(
                        200,
                        login(slow, TestApp.newAddress(), other, TestApp.PASSWORD)
                                .status());
            }
            done.set(true);
        }
    }

    /**
     * Between two successes, at most ten wrong passwords of a username are compared for one address, and no count is
     * negative, whatever else happens meanwhile.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 8})
    void no_mix_of_requests_allows_more_guesses(int parallel) throws Exception {
        long seed = System.nanoTime();
        var random = new Random(seed);
        for (int round = 0; round < 3; round++) {
            String client = TestApp.newAddress();
            String name = registerUser();
            String token =
                    login(app, TestApp.newAddress(), name, TestApp.PASSWORD).field("token");
            List<Callable<Integer>> requests = new ArrayList<>();
            int successes = 0;
            for (int i = 0; i < 60; i++) {
                boolean right = random.nextInt(20) == 0;
                successes += right ? 1 : 0;
                requests.add(request(random.nextInt(4), client, name, token, right));
            }
            try (var threads = Executors.newFixedThreadPool(parallel)) {
                List<Integer> statuses = threads.invokeAll(requests).stream()
                        .map(future -> future.resultNow())
                        .toList();
                long compared =
                        statuses.stream().filter(status -> status == 401).count();
                assertTrue(compared <= (long) (successes + 1) * MAX_PER_NAME, "seed " + seed + ": " + statuses);
            }
            assertTrue(
                    counts(client).stream().allMatch(count -> Integer.parseInt(count) >= 0),
                    () -> "seed " + seed + ": " + counts(client));
            assertFalse(counts(client).isEmpty());
            assertEquals(0, IntStream.of(busy(client)).sum(), "seed " + seed);
        }
    }

    private static int[] busy(String address) {
        return app.redis().hgetall("throttle:address:" + address).entrySet().stream()
                .filter(entry -> entry.getKey().endsWith("busy"))
                .mapToInt(entry -> Integer.parseInt(entry.getValue()))
                .toArray();
    }

    // A wrong password change compares two passwords, so it is left out where each 401 must stand for one.
    private static Callable<Integer> request(int kind, String address, String name, String token, boolean right) {
        String password = right ? TestApp.PASSWORD : "wrong password";
        String[] headers = {"Authorization", "Bearer " + token, "X-Forwarded-For", address};
        return switch (kind) {
            case 0 ->
                () -> app.send("DELETE", "/api/auth/account", "{\"password\":\"wrong password\"}", headers)
                        .status();
            case 1 -> () -> app.send("POST", "/api/auth/login", "{}", headers).status();
            default -> () -> login(app, address, name, password).status();
        };
    }
}
