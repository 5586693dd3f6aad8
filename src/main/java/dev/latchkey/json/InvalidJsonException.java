package dev.latchkey.json;

/**
 * The text that a client sent is not the JSON that is expected. The message is meant for the client and quotes
 * nothing.
 */
public final class InvalidJsonException extends RuntimeException {
    private static final long serialVersionUID = 1;

    InvalidJsonException(String message) {
        super(message, null, false, false);
    }
}
