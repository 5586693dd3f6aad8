package dev.latchkey.http;

import org.jspecify.annotations.Nullable;

/** Decides which response an exception gets. */
@FunctionalInterface
public interface ProblemMapper {
    /** Returns the response, or null if the exception is unexpected, which is logged and gets a 500. */
    @Nullable
    Problem problem(Throwable e);
}
