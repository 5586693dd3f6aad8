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
    void the_number_of_attempts_is_limited() {
        assertThrows(
                ContentionException.class,
                () -> Attempts.<String>repeat(10, () -> {
                    attempts.incrementAndGet();
                    return null;
                }));
        assertEquals(10, attempts.get());
    }

    /**
     * After an {@link OverloadedException}, the rate limit does not count the login attempt. If a login could still
     * throw it after computing a hash, one account could keep the hashing threads busy without a limit.
     */
    @Test
    void an_overload_is_reported_as_contention_after_the_first_attempt() {
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
