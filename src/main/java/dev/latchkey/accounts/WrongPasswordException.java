package dev.latchkey.accounts;

/** The caller's password is wrong. Nothing has changed. */
public final class WrongPasswordException extends RuntimeException {
    private static final long serialVersionUID = 1;

    WrongPasswordException() {
        super("wrong password", null, false, false);
    }
}
