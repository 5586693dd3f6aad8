package dev.latchkey.testing;

import dev.latchkey.testing.Interleaver.Command;
import dev.latchkey.testing.Interleaver.Scheduler;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Explores all orders of the Redis commands of concurrent requests, depth first. Each order is a run from the start,
 * because the state of a process cannot be copied (stateless search, Godefroid, POPL 1997).
 *
 * <p>With the reduction, of several orders that differ only in commands that commute, one is run: a command sleeps after
 * it was tried, until another command wakes it that does not commute with it (sleep sets, Godefroid, LNCS 1032 §5). All
 * replies and final states are still reached. This holds because a request is deterministic: its commands depend on
 * the replies only. The random tokens of two runs differ, but play the same part in both.
 */
public final class Explorer {
    /** A point in a run at which a request is chosen. Requests are counted from 0. */
    private static final class Choice {
        private final List<Integer> possible;
        private final List<Integer> asleep;
        private final List<Integer> tried = new ArrayList<>();
        private List<@Nullable Command> next;

        Choice(List<@Nullable Command> next, List<Integer> asleep) {
            this.next = next;
            this.asleep = asleep;
            possible = IntStream.range(0, next.size())
                    .filter(i -> next.get(i) != null)
                    .boxed()
                    .toList();
        }

        boolean tryNext() {
            return possible.stream()
                    .filter(i -> !asleep.contains(i) && !tried.contains(i))
                    .findFirst()
                    .map(tried::add)
                    .orElse(false);
        }

        int chosen() {
            return tried.getLast();
        }

        // Whatever was tried here before, or already slept, stays asleep if it commutes with what is chosen now.
        List<Integer> asleepAfter() {
            return possible.stream()
                    .filter(i -> i != chosen() && (asleep.contains(i) || tried.contains(i)))
                    .filter(i -> next.get(i).commutesWith(next.get(chosen())))
                    .toList();
        }
    }

    private final boolean reduced;
    private final List<Choice> choices = new ArrayList<>();
    private int depth;
    private boolean redundant;
    private int runs;

    public Explorer(boolean reduced) {
        this.reduced = reduced;
    }

    /** Prepares the next run. Returns false if all orders have been run. */
    public boolean next() {
        while (runs > 0 && !choices.isEmpty() && !choices.getLast().tryNext()) {
            choices.removeLast();
        }
        if (runs > 0 && choices.isEmpty()) {
            return false;
        }
        runs++;
        depth = 0;
        redundant = false;
        return true;
    }

    /** Returns the scheduler of the current run. */
    public Scheduler scheduler() {
        return this::choose;
    }

    private int choose(List<@Nullable Command> next) {
        if (redundant) {
            return firstOf(next);
        }
        if (depth < choices.size()) {
            Choice known = choices.get(depth++);
            if (!names(known.next).equals(names(next))) {
                throw new IllegalStateException("not the same commands as before: " + known.next + ", now " + next);
            }
            known.next = next;
            return known.chosen();
        }
        List<Integer> asleep = reduced && !choices.isEmpty() ? choices.getLast().asleepAfter() : List.of();
        var choice = new Choice(next, asleep);
        if (!choice.tryNext()) {
            redundant = true; // everything from here on was run in another order
            return firstOf(next);
        }
        choices.add(choice);
        depth++;
        return choice.chosen();
    }

    private static String names(List<@Nullable Command> next) {
        return next.stream()
                .map(command -> command == null ? "" : command.name())
                .toList()
                .toString();
    }

    private static int firstOf(List<@Nullable Command> next) {
        return next.get(0) != null ? 0 : 1;
    }

    /** Reports whether the last run repeated an order that has been run, except for commands that commute. */
    public boolean isRedundant() {
        return redundant;
    }

    /** Returns the order of the last run: the number of the request that sent each command, such as {@code 00101}. */
    public String order() {
        return choices.stream().map(choice -> Integer.toString(choice.chosen())).collect(Collectors.joining());
    }

    /** Returns a scheduler that repeats an order. When it is used up, the first request that has not ended goes on. */
    public static Scheduler replay(String order) {
        var rest = new ArrayList<>(order.chars().map(c -> c - '0').boxed().toList());
        return next -> rest.isEmpty() || next.get(rest.getFirst()) == null ? firstOf(next) : rest.removeFirst();
    }
}
