package dev.latchkey.overload;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Repeats optimistic changes: each attempt reads a record, and writes only if the record has not changed since. */
public final class Attempts {
    private Attempts() {}

    /**
     * Returns the first result of {@code attempt} that is not null. A null means that a concurrent request was
     * faster.
     *
     * <p>The number of attempts is bounded, because a record that can never be written, or a client that keeps
     * changing it, must not keep a CPU core busy.
     *
     * @throws OverloadedException if the first attempt throws it
     * @throws ContentionException if no attempt succeeds
     */
    public static <T> T repeat(int times, Supplier<@Nullable T> attempt) {
        for (int i = 0; i < times; i++) {
            try {
                T result = attempt.get();
                if (result != null) {
                    return result;
                }
            } catch (OverloadedException e) {
                if (i == 0) {
                    throw e;
                }
                break; // an attempt has been made, and must count
            }
        }
        throw new ContentionException(1);
    }
}
