package dev.latchkey.accounts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.overload.OverloadedException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PasswordHasherTest {
    private static final Duration LONG = Duration.ofMinutes(1);

    @AutoClose
    private final PasswordHasher hasher = new PasswordHasher(1000, 1, LONG);

    // RFC 7914 §11, and RFC 6070's inputs with HMAC-SHA-256
    @ParameterizedTest
    @CsvSource({
        "passwd, salt, 1, 55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                + "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        "Password, NaCl, 80000, 4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
                + "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
        "password, salt, 1, 120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b",
        "password, salt, 4096, c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a",
        "passwordPASSWORDpassword, saltSALTsaltSALTsaltSALTsaltSALTsalt, 4096,"
                + "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9",
    })
    void published_vectors_are_met(String password, String salt, int iterations, String key) throws Exception {
        byte[] derived = PasswordHasher.pbkdf2(
                password, salt.getBytes(StandardCharsets.UTF_8), iterations, key.length() / 2 * Byte.SIZE);
        assertEquals(key, HexFormat.of().formatHex(derived));
    }

    @Test
    void a_hash_is_a_phc_string_with_its_cost_and_a_salt_of_its_own() {
        String phc = hasher.hash("password");
        assertTrue(phc.matches("\\$pbkdf2-sha256\\$i=1000\\$[A-Za-z0-9+/]{22}\\$[A-Za-z0-9+/]{43}"), phc);
        assertNotEquals(phc, hasher.hash("password"));
    }

    @Test
    void only_the_same_password_verifies() {
        String phc = hasher.hash("pässword");
        assertTrue(hasher.verify("pässword", phc));
        assertFalse(hasher.verify("passwörd", phc));
        assertFalse(hasher.verify("", phc));
        assertFalse(hasher.verify("pässword", null));
    }

    @Test
    void a_hash_of_another_cost_verifies_with_that_cost() {
        try (var other = new PasswordHasher(2000, 1, LONG)) {
            assertTrue(hasher.verify("password", other.hash("password")));
        }
    }

    @Test
    void a_hash_of_fewer_iterations_is_outdated_and_one_of_more_is_not() {
        try (var stronger = new PasswordHasher(2000, 1, LONG)) {
            assertTrue(stronger.isOutdated(hasher.hash("password")));
            assertFalse(hasher.isOutdated(stronger.hash("password")));
            assertFalse(hasher.isOutdated(hasher.hash("password")));
            assertFalse(stronger.isOutdated(""));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "password",
                "$pbkdf2-sha256$i=1000$$",
                "$pbkdf2-sha256$i=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "$pbkdf2-sha1$i=1000$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            })
    void a_hash_of_another_kind_verifies_nothing(String phc) {
        assertFalse(hasher.verify("password", phc));
    }

    @Test
    void a_stored_cost_beyond_the_cap_is_not_run() {
        String phc = hasher.hash("password").replace("i=1000", "i=99999999");
        assertTimeoutPreemptively(Duration.ofSeconds(10), () -> assertFalse(hasher.verify("password", phc)));
    }

    @Test
    void a_replacement_needs_the_current_password_or_is_there_already() {
        try (var hasher = new PasswordHasher(1000, 1, Duration.ofSeconds(10))) {
            String phc = hasher.hash("current");
            String replaced = hasher.replacement("current", phc, "next");
            assertTrue(hasher.verify("next", replaced));
            assertEquals(replaced, hasher.replacement("current", replaced, "next"), "an earlier change goes on");
            assertNull(hasher.replacement("wrong", phc, "next"));
            assertNull(hasher.replacement("current", null, "next"));
            assertNull(hasher.replacement("current", "", "next"));
        }
    }

    @Test
    void who_finds_no_turn_waits_for_one() throws Exception {
        try (var patient = new PasswordHasher(100_000, 1, Duration.ofMinutes(1));
                var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            var results = Stream.generate(() -> executor.submit(() -> patient.hash("password")))
                    .limit(8)
                    .toList();
            for (var result : results) {
                assertTrue(result.get().startsWith("$pbkdf2-sha256$i=100000$"));
            }
        }
    }

    @Test
    void who_waits_too_long_is_turned_away_and_does_not_harm_who_has_a_turn() throws Exception {
        try (var slow = new PasswordHasher(3_000_000, 1, Duration.ofMillis(100));
                var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            var results = Stream.generate(() -> executor.submit(() -> slow.hash("password")))
                    .limit(8)
                    .toList();
            int busy = 0;
            for (var result : results) {
                try {
                    assertTrue(result.get().startsWith("$pbkdf2-sha256$i=3000000$"));
                } catch (ExecutionException e) {
                    assertInstanceOf(OverloadedException.class, e.getCause());
                    busy++;
                }
            }
            assertTrue(busy >= 5, busy + " of 8 were turned away, with 1 thread");
        }
    }
}
