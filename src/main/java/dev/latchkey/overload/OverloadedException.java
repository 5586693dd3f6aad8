package dev.latchkey.overload;

/** The work has not been started, because it could not be done in time. It can be tried again later. */
public final class OverloadedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    OverloadedException(String message) {
        super(message, null, false, false);
    }
}
