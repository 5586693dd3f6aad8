package dev.latchkey.accounts;

/** Too many attempts have failed. The password has not been compared. */
public final class RateLimitedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final long retrySeconds;

    RateLimitedException(long retrySeconds) {
        super("too many attempts", null, false, false);
        this.retrySeconds = retrySeconds;
    }

    /** Returns the seconds after which an attempt is allowed again, at least 1. */
    public long retrySeconds() {
        return retrySeconds;
    }
}
