package dev.latchkey.overload;

/** Concurrent requests are changing the same record. The request can be repeated later. */
public final class ContentionException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final long retrySeconds;

    /** @param retrySeconds after which a retry may succeed, at least 1 */
    public ContentionException(long retrySeconds) {
        super("other requests are changing the same record", null, false, false);
        this.retrySeconds = retrySeconds;
    }

    public long retrySeconds() {
        return retrySeconds;
    }
}
