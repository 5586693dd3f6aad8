package dev.latchkey.overload;

import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class AttemptsTest {
    @Test
    void the_number_of_attempts_is_limited() {
        var attempts = Attempts.limitedTo(3);
        attempts.next();
        attempts.next();
        assertThrows(ContentionException.class, attempts::next);
    }
}
