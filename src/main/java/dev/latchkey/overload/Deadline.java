package dev.latchkey.overload;

import java.time.Duration;

/** The time after which the current request sends no more commands, so that it gets a 503 before it is cut off. */
public final class Deadline {
    private static final ScopedValue<Long> NANOS = ScopedValue.newInstance();

    private Deadline() {}

    /** Runs an operation with a deadline. */
    public static <X extends Throwable> void run(Duration limit, ScopedValue.CallableOp<?, X> operation) throws X {
        var _ = ScopedValue.where(NANOS, System.nanoTime() + limit.toNanos()).call(operation);
    }

    /** Reports whether the deadline has passed. Without a deadline, it never does. */
    public static boolean isOver() {
        return NANOS.isBound() && System.nanoTime() - NANOS.get() > 0;
    }
}
