package dev.latchkey.testing;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.SequencedSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Explores all orders of the Redis commands of concurrent requests, depth first, and optionally all orders in which one
 * command meets a {@link Fault}. Each order is a run from the start, because the state of a process cannot be copied
 * (stateless search, Godefroid, POPL 1997).
 *
 * <p>With the reduction, of several orders that differ only in steps that commute, one is run. Another request is only
 * tried first in the states in which a run has shown a conflict (dynamic partial-order reduction, Flanagan and
 * Godefroid, POPL 2005). A step sleeps after it was explored, until a step that depends on it wakes it (sleep sets,
 * Godefroid, LNCS 1032 §5). All replies and final states are still reached. This holds because a request is
 * deterministic: its commands depend on the replies only. The random tokens of two runs differ, but play the same part
 * in both.
 */
public final class Explorer implements Scheduler {
    /** A step with its command. */
    private record Transition(Step step, RedisCommand command) {
        private boolean isFaulty() {
            return step.fault() != Fault.NONE;
        }

        // A command that Redis does not execute has no effect on others. Two faults exclude each other.
        boolean dependsOn(Transition other) {
            boolean bothExecuted = step.fault().isExecuted && other.step.fault().isExecuted;
            return step.request() == other.step.request()
                    || (isFaulty() && other.isFaulty())
                    || (bothExecuted && !command.commutesWith(other.command));
        }
    }

    /** A state that the current run passes through. */
    private static final class State {
        private List<@Nullable RedisCommand> next;
        private final List<Step> unexplored = new ArrayList<>();
        private final SequencedSet<Step> explored; // or asleep; the last one belongs to the current run
        private final Set<Integer> backtrackSet = new HashSet<>(); // the requests whose steps must be explored

        State(List<@Nullable RedisCommand> next, List<Fault> faults, Set<Step> sleepSet) {
            this.next = next;
            explored = new LinkedHashSet<>(sleepSet);
            for (int request : Scheduler.unfinished(next)) {
                faults.forEach(fault -> unexplored.add(new Step(request, fault)));
            }
            unexplored.removeAll(sleepSet);
        }

        /** Chooses the next step that must be explored. Returns false if there is none. */
        boolean advance() {
            for (Step step : unexplored) {
                if (backtrackSet.contains(step.request())) {
                    unexplored.remove(step);
                    return explored.add(step);
                }
            }
            return false;
        }

        Transition transition(Step step) {
            return new Transition(step, Objects.requireNonNull(next.get(step.request())));
        }

        Transition chosen() {
            return transition(explored.getLast());
        }

        Set<Step> nextSleepSet() {
            Set<Step> asleep = new LinkedHashSet<>(explored);
            asleep.removeIf(step -> transition(step).dependsOn(chosen()));
            return asleep;
        }

        // The random tokens of two runs differ.
        void update(List<@Nullable RedisCommand> next) {
            if (!next.toString().equals(this.next.toString())) {
                throw new IllegalStateException("not the same commands as before: " + this.next + ", now " + next);
            }
            this.next = next;
        }
    }

    private final boolean reduced;
    private final boolean withFaults;
    private final List<State> states = new ArrayList<>();
    private int depth;
    private boolean redundant;

    /** @param withFaults whether one command of each order may meet a fault */
    public Explorer(boolean reduced, boolean withFaults) {
        this.reduced = reduced;
        this.withFaults = withFaults;
    }

    /** Prepares the next run. Returns false if all orders have been run. */
    public boolean next() {
        while (!states.isEmpty() && !states.getLast().advance()) {
            states.removeLast();
        }
        depth = 0;
        redundant = false;
        return !states.isEmpty();
    }

    /** Reports whether the last run repeated an order that has been run, except for steps that commute. */
    public boolean isRedundant() {
        return redundant;
    }

    @Override
    public Step choose(List<@Nullable RedisCommand> next) {
        if (depth == states.size() && !redundant) {
            redundant = !addState(next);
        }
        if (redundant) {
            return Scheduler.first(next);
        }
        State state = states.get(depth++);
        state.update(next);
        return state.chosen().step();
    }

    // Returns false if each order that goes on from here was run, except for steps that commute.
    private boolean addState(List<@Nullable RedisCommand> next) {
        boolean hadFault = states.stream().anyMatch(state -> state.chosen().isFaulty());
        List<Fault> faults = withFaults && !hadFault ? List.of(Fault.values()) : List.of(Fault.NONE);
        Set<Step> sleepSet = reduced && !states.isEmpty() ? states.getLast().nextSleepSet() : Set.of();
        var state = new State(next, faults, sleepSet);
        for (int request : Scheduler.unfinished(next)) {
            if (reduced) {
                addBacktrackingPoint(state.transition(new Step(request, Fault.NONE)));
            } else {
                state.backtrackSet.add(request);
            }
        }
        if (state.unexplored.isEmpty()) {
            return false;
        }
        state.backtrackSet.add(state.unexplored.getFirst().request());
        states.add(state);
        return state.advance();
    }

    // In the last state whose step conflicts with the next one of the request, the request must be explored too, unless
    // the order of the two follows from other conflicts.
    private void addBacktrackingPoint(Transition next) {
        List<Transition> happenBefore = new ArrayList<>(); // the last step of the request
        for (State state : states.reversed()) {
            Transition earlier = state.chosen();
            boolean ofRequest = earlier.step().request() == next.step().request();
            if (ofRequest || happenBefore.stream().anyMatch(earlier::dependsOn)) {
                happenBefore.add(earlier);
            } else if (earlier.dependsOn(next)) {
                state.backtrackSet.add(next.step().request());
                return;
            }
        }
    }
}
