package dev.latchkey.overload;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Limits how much expensive work runs at the same time. Other work waits in order of arrival, and is refused after it
 * has waited too long. Refusing it immediately would be worse, because clients would retry immediately.
 */
public final class Bulkhead {
    private static final Duration MAX_WAIT = Duration.ofSeconds(3); // most clients have given up by then

    private final Semaphore permits;
    private final Duration maxWait;

    /** Creates a bulkhead in which work waits at most 3 seconds. */
    public Bulkhead(int permits) {
        this(permits, MAX_WAIT);
    }

    public Bulkhead(int permits, Duration maxWait) {
        this.permits = new Semaphore(permits, true);
        this.maxWait = maxWait;
    }

    /** Returns about how much work is waiting. */
    public int waiting() {
        return permits.getQueueLength();
    }

    /** Room for one piece of work. Closing it makes room for the next. */
    @FunctionalInterface
    public interface Permit extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Waits until there is room for work.
     *
     * @throws OverloadedException if that takes too long
     */
    public Permit enter() {
        try {
            if (!permits.tryAcquire(maxWait.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new OverloadedException("waited longer than " + maxWait);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new OverloadedException("interrupted");
        }
        return permits::release;
    }
}
