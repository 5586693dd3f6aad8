package dev.latchkey.accounts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UsernameTest {
    @ParameterizedTest
    @CsvSource({"alice,alice", "Alice,alice", "ALICE,alice", "a.b-c_9,a.b-c_9", "0zz,0zz"})
    void uppercase_letters_are_folded_to_lowercase(String given, String folded) {
        assertEquals(folded, new Username(given).text());
    }

    @Test
    void case_folding_does_not_depend_on_the_locale_of_the_server() {
        Locale original = Locale.getDefault();
        Locale.setDefault(Locale.of("tr", "TR"));
        try {
            assertEquals("iii", new Username("III").text());
        } finally {
            Locale.setDefault(original);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "ab",
                ".ab",
                "ab.",
                "-ab",
                "ab_",
                "a b",
                " abc",
                "abc ",
                "älice",
                "al\u0000ice",
                "alice\n",
                "al:ice",
                "al{ice}",
                "аlice",
                "al%69ce",
                "al/ice",
                "@alice",
                "alice+",
                "\"al ice\"@example",
                "\u212aate", // KELVIN SIGN, whose lowercase form is k
                "\u0130an"
            })
    void malformed_usernames_are_rejected(String name) {
        assertThrows(IllegalArgumentException.class, () -> new Username(name));
    }

    @Test
    void a_username_has_at_most_254_characters() {
        assertEquals(254, new Username("a".repeat(254)).text().length());
        assertThrows(IllegalArgumentException.class, () -> new Username("a".repeat(255)));
    }

    @Test
    void an_e_mail_address_is_a_username() {
        assertEquals("alice.b+todo@mail-1.example", new Username("Alice.B+todo@mail-1.Example").text());
    }
}
