package dev.latchkey.redis;

/**
 * Redis did not execute a command, or its reply did not arrive. In the latter case the command may have been executed.
 *
 * @see Reason
 */
public final class RedisUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final Reason reason;

    /** Why a command failed. */
    public enum Reason {
        /** No reply arrived within the command timeout. */
        TIMEOUT,
        /** There was no connection, so the command was not sent. */
        NOT_CONNECTED,
        /** The connection was lost before the reply arrived. */
        DISCONNECTED,
        /** Redis replied with an error. */
        ERROR
    }

    RedisUnavailableException(Reason reason, Throwable cause) {
        super(reason.name(), cause, false, false);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }

    /** Returns what has failed and what to check, as the log says it. Contains no secret. */
    public String explanation() {
        return OutageLog.reason(this);
    }
}
