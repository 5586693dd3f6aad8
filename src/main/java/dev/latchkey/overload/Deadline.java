package dev.latchkey.overload;

import java.time.Duration;

/** The time after which the current request sends no more commands, so that it gets a 503 before it is cut off. */
public final class Deadline {
    private static final ThreadLocal<Long> NANOS = new ThreadLocal<>();

    private Deadline() {}

    /** Sets the deadline of the current thread, which serves only one request. */
    public static void start(Duration limit) {
        NANOS.set(System.nanoTime() + limit.toNanos());
    }

    /** Reports whether the deadline has passed. Without a deadline, it never does. */
    public static boolean isOver() {
        Long deadline = NANOS.get();
        return deadline != null && System.nanoTime() - deadline > 0;
    }
}
