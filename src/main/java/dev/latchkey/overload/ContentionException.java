package dev.latchkey.overload;

/** Other requests work on the same record. It can be tried again later. */
public final class ContentionException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final long retrySeconds;

    /** @param retrySeconds after which it is worth trying again, at least 1 */
    public ContentionException(long retrySeconds) {
        super("other requests work on the same record", null, false, false);
        this.retrySeconds = retrySeconds;
    }

    public long retrySeconds() {
        return retrySeconds;
    }
}
