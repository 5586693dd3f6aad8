package dev.latchkey.testing;

import java.util.stream.Stream;

/** What happens to a Redis command. */
public enum Fault {
    /** It is executed, and its reply arrives. */
    NONE("", true, true),
    /** The connection is closed before the command is sent. */
    NOT_SENT("n", false, false),
    /** The command is executed, and the connection is closed before its reply arrives. */
    REPLY_LOST("l", true, false),
    /** The reply is an error, and the command is not executed. */
    ERROR("e", false, true),
    /**
     * The process of the request has ended before the command. As it cannot end in a test, all commands from then on are
     * refused, and its response must be ignored.
     */
    GONE("g", false, true);

    final String letter;
    final boolean isExecuted;
    final boolean hasReply;

    /** @param letter in the text of a {@link Scheduler.Step} */
    Fault(String letter, boolean isExecuted, boolean hasReply) {
        this.letter = letter;
        this.isExecuted = isExecuted;
        this.hasReply = hasReply;
    }

    static Fault of(String letter) {
        return Stream.of(values())
                .filter(fault -> fault.letter.equals(letter))
                .findFirst()
                .orElseThrow();
    }
}
