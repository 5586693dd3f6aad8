package dev.latchkey.cli;

/** A command is not done. The message says why. */
public final class CommandException extends Exception {
    private static final long serialVersionUID = 1;

    /** The exit code of a command that has failed. */
    public static final int FAILED = 1;

    /** The exit code if the arguments or the configuration are not valid. */
    public static final int BAD_ARGUMENTS = 2;

    private final int exitCode;

    CommandException(int exitCode, String message) {
        super(message, null, false, false);
        this.exitCode = exitCode;
    }

    public int exitCode() {
        return exitCode;
    }
}
