package dev.latchkey.api;

import dev.latchkey.accounts.WrongPasswordException;
import dev.latchkey.http.Problem;
import dev.latchkey.metrics.EnumCounter;
import dev.latchkey.metrics.Registry;
import dev.latchkey.overload.OverloadedException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;

/** Counts logins by outcome, and attempts above a rate limit. */
public final class AuthMetrics {
    private enum Outcome {
        SUCCEEDED,
        FAILED,
        THROTTLED,
        OVERLOADED,
        ERROR
    }

    private final EnumCounter<Outcome> logins = new EnumCounter<>(Outcome.class);
    private final LongAdder rateLimited = new LongAdder();

    public AuthMetrics(Registry registry) {
        registry.counters("latchkey_logins_total", "Logins with a valid request body.", "outcome", logins);
        String help = "Requests with a password that got a 429 because of the rate limit.";
        registry.counter("latchkey_rate_limited_attempts_total", help, rateLimited::sum);
    }

    /** Returns the result of a login, and counts its outcome. */
    <T> T login(Supplier<T> attempt) {
        Outcome outcome = Outcome.SUCCEEDED;
        try {
            return attempt.get();
        } catch (RuntimeException e) {
            outcome = switch (e) {
                case WrongPasswordException _ -> Outcome.FAILED;
                case Problem _ -> Outcome.THROTTLED; // a login throws no other problem
                case OverloadedException _ -> Outcome.OVERLOADED;
                default -> Outcome.ERROR;
            };
            throw e;
        } finally {
            logins.increment(outcome);
        }
    }

    void rateLimited() {
        rateLimited.increment();
    }
}
