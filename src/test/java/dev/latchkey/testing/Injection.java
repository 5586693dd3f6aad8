package dev.latchkey.testing;

import java.util.List;

/**
 * The fault of one command in a run.
 *
 * @param ordinal of the command, among those of the request that can meet the fault, counted from 0
 */
public record Injection(int request, Fault fault, int ordinal) {
    /**
     * Returns how many commands can meet a fault.
     *
     * @param commands of one request
     * @param reduced leaves out those for which the fault has the same effect as another one, or as at another command
     */
    static int count(Fault fault, List<RedisCommand> commands, boolean reduced) {
        int count = 0;
        for (int i = 0; i < commands.size(); i++) {
            count += canMeet(fault, commands, i, reduced) ? 1 : 0;
        }
        return count;
    }

    /** Reports whether the last one of the commands that a request has sent meets the fault. */
    boolean hits(List<RedisCommand> commands, boolean reduced) {
        return canMeet(fault, commands, commands.size() - 1, reduced) && count(fault, commands, reduced) == ordinal + 1;
    }

    // The service makes no difference between an error and a lost connection, so a command that is not sent, or a read
    // without a reply, is like one that gets an error. Between two writes, it does not matter when a process ends.
    private static boolean canMeet(Fault fault, List<RedisCommand> commands, int i, boolean reduced) {
        return !reduced
                || switch (fault) {
                    case NOT_SENT -> false;
                    case REPLY_LOST -> !commands.get(i).isRead();
                    case GONE -> i == 0 || !commands.get(i - 1).isRead();
                    default -> true;
                };
    }
}
