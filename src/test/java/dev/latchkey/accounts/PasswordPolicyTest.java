package dev.latchkey.accounts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PasswordPolicyTest {
    private final PasswordPolicy policy = new PasswordPolicy(8);

    @Test
    void length_is_counted_in_code_points() {
        assertEquals("😀".repeat(8), policy.check("😀".repeat(8), ""));
        assertThrows(IllegalArgumentException.class, () -> policy.check("😀".repeat(7), ""));
        assertEquals("😀".repeat(128), policy.check("😀".repeat(128), ""));
        assertThrows(IllegalArgumentException.class, () -> policy.check("😀".repeat(129), ""));
    }

    @Test
    void neither_decomposed_characters_nor_nfc_make_a_short_password_long_enough() {
        String expandedByNfc = "\ud834\udd60"; // U+1D160, three code points in NFC
        assertThrows(IllegalArgumentException.class, () -> policy.check(expandedByNfc.repeat(7), ""));
        assertEquals(24, policy.check(expandedByNfc.repeat(8), "").codePoints().count());
        assertThrows(IllegalArgumentException.class, () -> policy.check("e\u0301".repeat(7), ""));
    }

    /** HMAC pads its key with zeros, so a NUL at the end of a password would be ignored. */
    @ParameterizedTest
    @ValueSource(
            strings = {"long password\0", "\0\0\0\0\0\0\0\0", "long\tpassword", "long password\n", "long\u0085password"
            })
    void control_characters_are_rejected(String password) {
        assertThrows(IllegalArgumentException.class, () -> policy.check(password, ""));
    }

    /** Normalizing takes quadratic time for a run of combining marks. */
    @Test
    void an_oversized_password_is_rejected_before_it_is_normalized() {
        assertEquals(512, PasswordPolicy.normalize("a".repeat(512)).length());
        String slow = "a" + "\u0300".repeat(4_000_000) + "\u0316".repeat(4_000_000); // normalizing it would take hours
        assertTimeoutPreemptively(
                Duration.ofSeconds(20),
                () -> assertThrows(IllegalArgumentException.class, () -> PasswordPolicy.normalize(slow)));
    }

    @Test
    void every_listed_common_password_is_rejected_and_the_licence_comment_is_not_a_listed_password() throws Exception {
        try (var list = PasswordPolicy.class.getResourceAsStream("common-passwords.txt")) {
            List<String> lines = new String(list.readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .toList();
            List<String> passwords =
                    lines.stream().filter(line -> !line.startsWith("#")).toList();
            assertEquals(11_611, passwords.size());
            for (String password : passwords) {
                assertThrows(
                        IllegalArgumentException.class,
                        () -> policy.check(password.toUpperCase(Locale.ROOT), ""),
                        password);
            }
            String comment = lines.getFirst();
            assertEquals(comment, policy.check(comment, ""));
            assertTrue(String.join("\n", lines).contains("MIT"));
        }
    }

    @Test
    void a_password_may_contain_a_common_password_or_the_username() {
        assertEquals("password1 and more", policy.check("password1 and more", "alice"));
        assertEquals("alice's own password", policy.check("alice's own password", "alice"));
    }
}
