package dev.latchkey.todos;

import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoField;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/**
 * UUIDs of version 7 (RFC 9562 §5.7): they sort by time as text. The 12 bits behind the milliseconds are a finer clock
 * (§6.2, method 3), which never stands still: ids of one process sort in the order in which they were made.
 */
final class TodoIds {
    private static final Pattern FORM = Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");

    private final InstantSource clock;
    private final AtomicLong last = new AtomicLong(); // 48 bits of milliseconds, 12 bits of their 4096ths

    TodoIds(InstantSource clock) {
        this.clock = clock;
    }

    String next() {
        Instant now = clock.instant();
        long fraction = now.getLong(ChronoField.NANO_OF_SECOND) % 1_000_000 * 4096 / 1_000_000;
        long time = last.accumulateAndGet(
                (now.toEpochMilli() << 12) | fraction, (previous, t) -> Math.max(previous + 1, t));
        long high = (time >>> 12 << 16) | 0x7000 | (time & 0xfff);
        long low = Long.MIN_VALUE | (ThreadLocalRandom.current().nextLong() >>> 2); // variant 10, and 62 random bits
        return new UUID(high, low).toString();
    }

    /** @throws IllegalArgumentException with what is allowed, for the client to read */
    static String check(String id) {
        if (!FORM.matcher(id).matches()) {
            throw new IllegalArgumentException("must be the id of a todo");
        }
        return id;
    }
}
