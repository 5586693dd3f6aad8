package dev.latchkey.accounts;

/** The password is wrong, or there is no such user. Nothing has changed. The message is meant for the client. */
public final class WrongPasswordException extends RuntimeException {
    private static final long serialVersionUID = 1;

    WrongPasswordException(String message) {
        super(message, null, false, false);
    }
}
