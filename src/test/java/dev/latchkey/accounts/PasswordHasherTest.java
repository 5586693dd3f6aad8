package dev.latchkey.accounts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.overload.Bulkhead;
import dev.latchkey.overload.OverloadedException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PasswordHasherTest {
    private static final Duration MAX_WAIT = Duration.ofMinutes(1);

    private final PasswordHasher hasher = new PasswordHasher(1000, new Bulkhead(1, MAX_WAIT));

    private static String hash(PasswordHasher hasher, String password) {
        try (var turn = hasher.awaitTurn("")) {
            return turn.hash(password);
        }
    }

    private static boolean verify(PasswordHasher hasher, String password, @Nullable String phc) {
        try (var turn = hasher.awaitTurn("")) {
            return turn.verify(password, phc);
        }
    }

    // The test vectors of RFC 7914 §11, and the inputs of RFC 6070 with HMAC-SHA-256.
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
    void pbkdf2_matches_the_published_test_vectors(String password, String salt, int iterations, String key)
            throws Exception {
        byte[] derived = PasswordHasher.pbkdf2(
                password, salt.getBytes(StandardCharsets.UTF_8), iterations, key.length() / 2 * Byte.SIZE);
        assertEquals(key, HexFormat.of().formatHex(derived));
    }

    @Test
    void a_hash_is_a_phc_string_with_its_iteration_count_and_a_random_salt() {
        String phc = hash(hasher, "password");
        assertTrue(phc.matches("\\$pbkdf2-sha256\\$i=1000\\$[A-Za-z0-9+/]{22}\\$[A-Za-z0-9+/]{43}"), phc);
        assertNotEquals(phc, hash(hasher, "password"));
    }

    @Test
    void only_the_correct_password_matches_a_hash() {
        String phc = hash(hasher, "pässword");
        assertTrue(verify(hasher, "pässword", phc));
        assertFalse(verify(hasher, "passwörd", phc));
        assertFalse(verify(hasher, "", phc));
        assertFalse(verify(hasher, "pässword", null));
    }

    @Test
    void a_hash_is_verified_with_its_own_iteration_count() {
        var other = new PasswordHasher(2000, new Bulkhead(1, MAX_WAIT));
        assertTrue(verify(hasher, "password", hash(other, "password")));
    }

    @Test
    void only_a_hash_with_fewer_iterations_than_a_new_hash_is_outdated() {
        var stronger = new PasswordHasher(2000, new Bulkhead(1, MAX_WAIT));
        assertTrue(stronger.isOutdated(hash(hasher, "password")));
        assertFalse(hasher.isOutdated(hash(stronger, "password")));
        assertFalse(hasher.isOutdated(hash(hasher, "password")));
        assertFalse(stronger.isOutdated(""));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "password",
                "$pbkdf2-sha256$i=1000$$",
                "$pbkdf2-sha256$i=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "$pbkdf2-sha256$i=1000$AAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", // 7 bytes of salt
                "$pbkdf2-sha256$i=1000$AAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", // not base64
                "$pbkdf2-sha256$i=1000$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "$pbkdf2-sha1$i=1000$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            })
    void no_password_matches_a_hash_that_is_malformed_or_uses_another_algorithm(String phc) {
        assertFalse(verify(hasher, "password", phc));
        assertFalse(verify(hasher, "", phc));
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 9, 10, 22, 63, 64})
    void a_salt_of_other_software_may_have_8_to_64_bytes(int length) throws Exception {
        byte[] salt = "s".repeat(length).getBytes(StandardCharsets.US_ASCII);
        assertTrue(verify(hasher, "password", phc(salt)));
        assertFalse(verify(hasher, "passwords", phc(salt)));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 65, 4096})
    void a_shorter_or_longer_salt_is_refused(int length) throws Exception {
        assertFalse(verify(hasher, "password", phc(new byte[length])));
    }

    private static String phc(byte[] salt) throws Exception {
        Base64.Encoder base64 = Base64.getEncoder().withoutPadding();
        byte[] key = PasswordHasher.pbkdf2("password", salt, 1000, 256);
        return "$pbkdf2-sha256$i=1000$" + base64.encodeToString(salt) + "$" + base64.encodeToString(key);
    }

    @Test
    void a_hash_whose_iteration_count_exceeds_the_cap_is_not_computed() {
        String phc = hash(hasher, "password").replace("i=1000", "i=99999999");
        assertTimeoutPreemptively(Duration.ofSeconds(10), () -> assertFalse(verify(hasher, "password", phc)));
    }

    @Test
    void hashing_waits_for_a_free_thread() throws Exception {
        var patient = new PasswordHasher(100_000, new Bulkhead(1, Duration.ofMinutes(1)));
        try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            var results = Stream.generate(() -> executor.submit(() -> hash(patient, "password")))
                    .limit(8)
                    .toList();
            for (var result : results) {
                assertTrue(result.get().startsWith("$pbkdf2-sha256$i=100000$"));
            }
        }
    }

    @Test
    void a_request_that_waits_too_long_is_rejected_and_hashes_in_progress_finish() throws Exception {
        var slow = new PasswordHasher(3_000_000, new Bulkhead(1, Duration.ofMillis(100)));
        try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            var results = Stream.generate(() -> executor.submit(() -> hash(slow, "password")))
                    .limit(8)
                    .toList();
            int rejected = 0;
            for (var result : results) {
                try {
                    assertTrue(result.get().startsWith("$pbkdf2-sha256$i=3000000$"));
                } catch (ExecutionException e) {
                    assertInstanceOf(OverloadedException.class, e.getCause());
                    rejected++;
                }
            }
            assertTrue(rejected >= 5, rejected + " of 8 requests were rejected, with 1 thread");
        }
    }
}
