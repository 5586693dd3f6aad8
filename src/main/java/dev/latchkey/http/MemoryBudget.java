package dev.latchkey.http;

import java.util.concurrent.Semaphore;

/** A share of the heap for requests that need much of it. Requests that do not fit are refused instead of queued. */
final class MemoryBudget {
    private static final int UNIT = 1024; // bytes per permit, because a semaphore has at most 2^31 permits

    private final Semaphore permits;

    /** @param bytes that may be in use at the same time */
    MemoryBudget(long bytes) {
        permits = new Semaphore((int) Math.min(Integer.MAX_VALUE, bytes / UNIT));
    }

    /** Takes {@code bytes} if they are available, and reports whether it did so. */
    boolean tryAcquire(int bytes) {
        return permits.tryAcquire(Math.ceilDiv(bytes, UNIT));
    }

    /** Gives back what {@link #tryAcquire} took. */
    void release(int bytes) {
        permits.release(Math.ceilDiv(bytes, UNIT));
    }
}
