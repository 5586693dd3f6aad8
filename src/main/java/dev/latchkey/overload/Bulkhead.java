package dev.latchkey.overload;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Work of which little can be done at the same time. The rest waits in the order of its arrival, and is refused only when it
 * has waited too long: clients that are refused at once ask again at once, and cost more than the work does.
 */
public final class Bulkhead {
    private static final Duration MAX_WAIT = Duration.ofSeconds(3); // most clients have given up by then

    private final Semaphore permits;
    private final Duration maxWait;

    /** Waits at most 3 seconds. */
    public Bulkhead(int permits) {
        this(permits, MAX_WAIT);
    }

    public Bulkhead(int permits, Duration maxWait) {
        this.permits = new Semaphore(permits, true);
        this.maxWait = maxWait;
    }

    /** @throws OverloadedException if {@code work} has waited too long, and has not been started */
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
