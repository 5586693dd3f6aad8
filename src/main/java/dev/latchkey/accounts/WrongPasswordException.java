package dev.latchkey.accounts;

/** The password is wrong, or there is no such user. Nothing has changed. */
public final class WrongPasswordException extends RuntimeException {
    private static final long serialVersionUID = 1;

    WrongPasswordException() {
        super("wrong password", null, false, false);
    }
}
