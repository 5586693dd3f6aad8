package dev.latchkey.overload;

/**
 * Counts the attempts at an optimistic change, which reads a record and writes only if the record has not changed since.
 *
 * <p>Their number is limited, because a record that can never be written, or a client that keeps changing it, must not
 * keep a CPU core busy. The usual loop is {@code for (var attempts = new Attempts(10); ; attempts.next())}, which ends
 * with a return when an attempt succeeds.
 */
public final class Attempts {
    private int left;

    /** @param max number of attempts, including the first one */
    public Attempts(int max) {
        left = max;
    }

    /**
     * Starts another attempt, because a concurrent request was faster.
     *
     * @throws ContentionException if there have been too many attempts
     */
    public void next() {
        if (--left <= 0) {
            throw new ContentionException(1);
        }
    }
}
