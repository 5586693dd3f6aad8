package dev.latchkey.http;

import java.util.concurrent.Semaphore;

/** A share of the heap for what only some requests need much of. Those that do not fit are refused, not queued. */
final class MemoryBudget {
    private static final int UNIT = 1024; // bytes: a semaphore counts to 2^31

    private final Semaphore units;

    /** @param bytes all that may be taken at the same time */
    MemoryBudget(long bytes) {
        units = new Semaphore((int) Math.min(Integer.MAX_VALUE, bytes / UNIT));
    }

    /** Takes {@code bytes} if that many are left, and reports whether it did. */
    boolean tryAcquire(int bytes) {
        return units.tryAcquire(units(bytes));
    }

    /** Gives back what {@link #tryAcquire} took, or nothing if it is 0. */
    void release(int bytes) {
        if (bytes > 0) {
            units.release(units(bytes));
        }
    }

    private static int units(int bytes) {
        return Math.ceilDiv(bytes, UNIT);
    }
}
