package dev.latchkey.overload;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class AttemptsTest {
    private final AtomicInteger attempts = new AtomicInteger();

    @Test
    void the_first_success_ends_the_attempts() {
        assertEquals(3, Attempts.repeat(10, () -> attempts.incrementAndGet() < 3 ? null : attempts.get()));
        assertEquals(3, attempts.get());
    }

    @Test
    void no_more_attempts_are_made_than_allowed() {
        assertThrows(
                ContentionException.class,
                () -> Attempts.<String>repeat(10, () -> {
                    attempts.incrementAndGet();
                    return null;
                }));
        assertEquals(10, attempts.get());
    }

    /** A refund after a hash has been computed would let one account keep the hashing threads busy without a limit. */
    @Test
    void only_an_overload_before_the_first_attempt_may_be_refunded() {
        assertThrows(
                OverloadedException.class,
                () -> Attempts.<String>repeat(2, () -> {
                    throw new OverloadedException("busy");
                }));
        assertThrows(
                ContentionException.class,
                () -> Attempts.<String>repeat(2, () -> {
                    if (attempts.incrementAndGet() == 1) {
                        return null;
                    }
                    throw new OverloadedException("busy");
                }));
    }
}
