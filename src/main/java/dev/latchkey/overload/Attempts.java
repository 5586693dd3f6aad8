package dev.latchkey.overload;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Limits the attempts at an optimistic change, which reads a record and writes only if the record has not changed since.
 * A record that can never be written, or a client that keeps changing it, must not keep a CPU core busy.
 *
 * <p>The usual loop is {@code for (var attempts = Attempts.limitedTo(10); ; attempts.next())}, which ends with a return
 * when an attempt succeeds.
 */
public final class Attempts {
    private static final int MAX_PAUSE_MILLIS = 20;

    private final long deadlineNanos;
    private int left;

    private Attempts(int max, Duration patience) {
        left = max;
        deadlineNanos = System.nanoTime() + patience.toNanos();
    }

    /** Allows {@code max} attempts, including the first one. For attempts that are expensive. */
    public static Attempts limitedTo(int max) {
        return new Attempts(max, Duration.ofDays(1));
    }

    /** Allows attempts for some time. For cheap changes that many requests make at once, so that all of them succeed. */
    public static Attempts within(Duration patience) {
        return new Attempts(Integer.MAX_VALUE, patience);
    }

    /**
     * Starts another attempt after a random pause, because a concurrent request was faster.
     *
     * @throws ContentionException if there have been too many attempts, or if the time is over
     */
    public void next() {
        if (--left <= 0 || System.nanoTime() - deadlineNanos > 0) {
            throw new ContentionException(1);
        }
        try {
            Thread.sleep(ThreadLocalRandom.current().nextInt(MAX_PAUSE_MILLIS));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new ContentionException(1);
        }
    }
}
