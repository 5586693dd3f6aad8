package dev.latchkey.auth;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

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
    void composed_and_decomposed_letters_are_one_password() {
        assertEquals(policy.check("caf\u00e9 creme", ""), policy.check("cafe\u0301 creme", ""));
    }

    @Test
    void nothing_is_trimmed() {
        assertEquals("  spaced  ", policy.check("  spaced  ", ""));
    }
}
