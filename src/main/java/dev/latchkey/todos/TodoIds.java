package dev.latchkey.todos;

import dev.latchkey.validation.FieldErrorCode;
import dev.latchkey.validation.InvalidValueException;
import java.time.InstantSource;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/**
 * Generates UUIDs of version 7 (RFC 9562 §5.7), which sort by time as text. The 12 bits after the milliseconds are a
 * counter (RFC 9562 §6.2, method 1), so the ids of one process sort in the order of their creation.
 */
public final class TodoIds {
    private static final Pattern ID = Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");

    private final InstantSource clock;
    // 48 bits of milliseconds, then 12 bits of the counter
    private final AtomicLong last = new AtomicLong();

    public TodoIds(InstantSource clock) {
        this.clock = clock;
    }

    /** Returns an id that is greater than all earlier ones of this object. */
    public String next() {
        long time = last.accumulateAndGet(clock.millis() << 12, (previous, now) -> Math.max(previous + 1, now));
        long high = (time >>> 12 << 16) | 0x7000 | (time & 0xfff);
        long low = Long.MIN_VALUE | (ThreadLocalRandom.current().nextLong() >>> 2); // variant 10, then 62 random bits
        return new UUID(high, low).toString();
    }

    /**
     * Returns the id.
     *
     * @throws InvalidValueException if it is not the id of a todo
     */
    public static String check(String id) {
        if (!ID.matcher(id).matches()) {
            throw new InvalidValueException(FieldErrorCode.MALFORMED, "must be the id of a todo");
        }
        return id;
    }
}
