package dev.latchkey.testing;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.SequencedSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Explores all orders of the Redis commands of concurrent requests, depth first. Each order is a run from the start,
 * because the state of a process cannot be copied (stateless search, Godefroid, POPL 1997).
 *
 * <p>With the reduction, of several orders that differ only in steps that commute, one is run. Another request is only
 * tried first in the states in which a run has shown a conflict (dynamic partial-order reduction, Flanagan and
 * Godefroid, POPL 2005). A step sleeps after it was explored, until a step that depends on it wakes it (sleep sets,
 * Godefroid, LNCS 1032 §5). All replies and final states are still reached. This holds because a request is
 * deterministic: its commands depend on the replies only. The random tokens of two runs differ, but play the same part
 * in both.
 */
public final class Explorer implements Scheduler {
    /** A state that the current run passes through. */
    private static final class State {
        private List<@Nullable Transition> next; // by request
        private final SequencedSet<Integer> explored; // or asleep; the last one belongs to the current run
        private final Set<Integer> backtrackSet = new LinkedHashSet<>(); // the requests that must be explored

        State(List<@Nullable Transition> next, Set<Integer> sleepSet) {
            this.next = next;
            explored = new LinkedHashSet<>(sleepSet);
        }

        /** Chooses the next request that must be explored. Returns false if there is none. */
        boolean advance() {
            return backtrackSet.stream().anyMatch(explored::add); // adds the first one that is missing
        }

        Transition transition(int request) {
            return Objects.requireNonNull(next.get(request));
        }

        Transition chosen() {
            return transition(explored.getLast());
        }

        Set<Integer> nextSleepSet() {
            Set<Integer> asleep = new LinkedHashSet<>(explored);
            asleep.removeIf(request -> transition(request).dependsOn(chosen()));
            return asleep;
        }

        // The random tokens of two runs differ.
        void update(List<@Nullable Transition> next) {
            if (!next.toString().equals(this.next.toString())) {
                throw new IllegalStateException("not the same commands as before: " + this.next + ", now " + next);
            }
            this.next = next;
        }
    }

    private final boolean reduced;
    private final @Nullable Injection injection;
    private final List<State> states = new ArrayList<>();
    private int depth;
    private boolean redundant;

    /** @param injection of a fault, in all orders in which its request sends that command; null for none */
    public Explorer(boolean reduced, @Nullable Injection injection) {
        this.reduced = reduced;
        this.injection = injection;
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
        if (redundant) {
            return Scheduler.first(next);
        }
        List<@Nullable Transition> transitions = new ArrayList<>();
        for (int request = 0; request < next.size(); request++) {
            RedisCommand command = next.get(request);
            transitions.add(
                    command == null ? null : new Transition(new Step(request, fault(request, command)), command));
        }
        if (depth < states.size()) {
            states.get(depth).update(transitions);
        } else if (!addState(transitions)) {
            redundant = true;
            return Scheduler.first(next);
        }
        return states.get(depth++).chosen().step();
    }

    private Fault fault(int request, RedisCommand command) {
        if (injection == null || injection.request() != request) {
            return Fault.NONE;
        }
        List<RedisCommand> commands = new ArrayList<>();
        for (State state : states.subList(0, depth)) {
            if (state.chosen().step().request() == request) {
                commands.add(state.chosen().command());
            }
        }
        commands.add(command);
        return injection.hits(commands, reduced) ? injection.fault() : Fault.NONE;
    }

    // Returns false if each order that goes on from here was run, except for steps that commute.
    private boolean addState(List<@Nullable Transition> next) {
        Set<Integer> sleepSet = reduced && !states.isEmpty() ? states.getLast().nextSleepSet() : Set.of();
        var state = new State(next, sleepSet);
        List<Integer> awake = new ArrayList<>();
        for (Transition transition : next) {
            if (transition != null) {
                int request = transition.step().request();
                if (reduced) {
                    addBacktrackingPoint(transition);
                }
                if (!sleepSet.contains(request)) {
                    awake.add(request);
                }
            }
        }
        if (awake.isEmpty()) {
            return false;
        }
        state.backtrackSet.addAll(reduced ? awake.subList(0, 1) : awake);
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
