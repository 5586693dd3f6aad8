package dev.latchkey.overload;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Optimistic changes: each attempt reads a record, and writes only if it has not changed since. */
public final class Attempts {
    private Attempts() {}

    /**
     * Returns the first result of {@code attempt} that is not null. A null means that another request was faster. The number of
     * attempts is bounded: a record that can never be written, or a client that keeps changing it, must not keep a core busy.
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
                break; // an attempt has been made: its costs must not be refunded
            }
        }
        throw new ContentionException(1);
    }
}
