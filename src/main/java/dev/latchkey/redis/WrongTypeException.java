package dev.latchkey.redis;

/** A key holds a value of another type than it should, so a retry cannot succeed. */
public final class WrongTypeException extends RuntimeException {
    private static final long serialVersionUID = 1;

    WrongTypeException() {
        super("a key holds a value of the wrong type");
    }
}
