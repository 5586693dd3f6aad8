package dev.latchkey.overload;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Limits how much expensive work runs at the same time. Other work waits in order of arrival, and is refused after it
 * has waited too long. Refusing it immediately would be worse, because clients would retry immediately.
 */
public final class Bulkhead {
    private static final Duration MAX_WAIT = Duration.ofSeconds(3); // most clients have given up by then

    private final int size;
    private final Semaphore permits;
    private final Duration maxWait;

    /** Creates a bulkhead in which work waits at most 3 seconds. */
    public Bulkhead(int permits) {
        this(permits, MAX_WAIT);
    }

    public Bulkhead(int permits, Duration maxWait) {
        size = permits;
        this.permits = new Semaphore(permits, true);
        this.maxWait = maxWait;
    }

    /** Returns how much work can run at the same time. */
    public int size() {
        return size;
    }

    /** Returns how much work is running. */
    public int running() {
        return size - permits.availablePermits();
    }

    /** Returns about how much work is waiting. */
    public int waiting() {
        return permits.getQueueLength();
    }

    /**
     * Runs the work when there is room for it.
     *
     * @throws OverloadedException if the work has waited too long; it has not been started
     */
    public <T extends @Nullable Object> T run(Supplier<T> work) {
        try {
            if (!permits.tryAcquire(maxWait.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new OverloadedException("waited longer than " + maxWait);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new OverloadedException("interrupted");
        }
        try {
            return work.get();
        } finally {
            permits.release();
        }
    }
}
