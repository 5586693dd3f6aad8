package dev.latchkey.testing;

import dev.latchkey.testing.Interleaver.Command;
import dev.latchkey.testing.Interleaver.Fault;
import dev.latchkey.testing.Interleaver.Scheduler;
import dev.latchkey.testing.Interleaver.Step;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Explores all orders of the Redis commands of concurrent requests, depth first, and optionally all orders in which one
 * command meets a {@link Fault}. Each order is a run from the start, because the state of a process cannot be copied
 * (stateless search, Godefroid, POPL 1997).
 *
 * <p>With the reduction, of several orders that differ only in steps that commute, one is run. The other request is only
 * tried first where a run has shown a conflict (dynamic partial-order reduction, Flanagan and Godefroid, POPL 2005). A
 * step sleeps after it was tried, until another step wakes it that does not commute with it (sleep sets, Godefroid, LNCS
 * 1032 §5). All replies and final states are still reached. This holds because a request is deterministic: its commands depend on the
 * replies only. The random tokens of two runs differ, but play the same part in both.
 */
public final class Explorer {
    /** A point in a run at which a step is chosen. */
    private static final class Choice {
        private final List<Step> possible;
        private final List<Step> asleep;
        private final List<Step> tried = new ArrayList<>();
        private final Set<Integer> requests = new TreeSet<>(); // whose steps must be tried
        private List<@Nullable Command> next;

        Choice(List<@Nullable Command> next, boolean withFaults, List<Step> asleep) {
            this.next = next;
            this.asleep = asleep;
            List<Fault> faults = withFaults ? List.of(Fault.values()) : List.of(Fault.NONE);
            possible = IntStream.range(0, next.size())
                    .filter(request -> next.get(request) != null)
                    .boxed()
                    .flatMap(request -> faults.stream().map(fault -> new Step(request, fault)))
                    .toList();
        }

        private Stream<Step> untried() {
            return possible.stream().filter(step -> !asleep.contains(step) && !tried.contains(step));
        }

        boolean tryFirst() {
            untried().findFirst().ifPresent(step -> requests.add(step.request()));
            return tryNext();
        }

        boolean tryNext() {
            return untried()
                    .filter(step -> requests.contains(step.request()))
                    .findFirst()
                    .map(tried::add)
                    .orElse(false);
        }

        Step chosen() {
            return tried.getLast();
        }

        Command command() {
            return Objects.requireNonNull(next.get(chosen().request()));
        }

        // Whatever was tried here before, or already slept, stays asleep if it commutes with what is chosen now.
        List<Step> asleepAfter() {
            return possible.stream()
                    .filter(step -> !step.equals(chosen()) && (asleep.contains(step) || tried.contains(step)))
                    .filter(this::commutesWithChosen)
                    .toList();
        }

        // A fault that keeps Redis from executing a command commutes with all commands of other requests. Two faults
        // exclude each other.
        private boolean commutesWithChosen(Step step) {
            boolean twoFaults = step.fault() != Fault.NONE && chosen().fault() != Fault.NONE;
            Command command = Objects.requireNonNull(next.get(step.request()));
            return step.request() != chosen().request()
                    && !twoFaults
                    && (!step.fault().isExecuted() || !conflictsWith(command));
        }

        boolean conflictsWith(Command command) {
            return chosen().fault().isExecuted() && !command().commutesWith(command);
        }

        boolean precedes(Choice later) {
            return chosen().request() == later.chosen().request()
                    || (later.chosen().fault().isExecuted() && conflictsWith(later.command()));
        }
    }

    private static final Pattern STEP = Pattern.compile("(\\d)([a-z]?)");

    private final boolean reduced;
    private final boolean withFaults;
    private final List<Choice> choices = new ArrayList<>();
    private int depth;
    private boolean redundant;
    private boolean started;

    /** @param withFaults whether one command of each order may meet a fault */
    public Explorer(boolean reduced, boolean withFaults) {
        this.reduced = reduced;
        this.withFaults = withFaults;
    }

    /** Prepares the next run. Returns false if all orders have been run. */
    public boolean next() {
        while (!choices.isEmpty() && !choices.getLast().tryNext()) {
            choices.removeLast();
        }
        if (started && choices.isEmpty()) {
            return false;
        }
        started = true;
        depth = 0;
        redundant = false;
        return true;
    }

    /** Returns the scheduler of the current run. */
    public Scheduler scheduler() {
        return this::choose;
    }

    private Step choose(List<@Nullable Command> next) {
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
        List<Step> asleep = reduced && !choices.isEmpty() ? choices.getLast().asleepAfter() : List.of();
        boolean hadFault = choices.stream().anyMatch(choice -> choice.chosen().fault() != Fault.NONE);
        var choice = new Choice(next, withFaults && !hadFault, asleep);
        for (int request = 0; request < next.size(); request++) {
            Command command = next.get(request);
            if (!reduced) {
                choice.requests.add(request);
            } else if (command != null) {
                addRace(request, command);
            }
        }
        if (!choice.tryFirst()) {
            redundant = true; // everything from here on was run in another order
            return firstOf(next);
        }
        choices.add(choice);
        depth++;
        return choice.chosen();
    }

    // Before the last step that conflicts with the next command of the request, the request must be tried too, unless
    // the order of the two follows from other conflicts.
    private void addRace(int request, Command command) {
        List<Choice> precedes = new ArrayList<>(); // those that precede the last step of the request, by conflicts
        for (int i = choices.size() - 1; i >= 0; i--) {
            Choice choice = choices.get(i);
            boolean own = choice.chosen().request() == request;
            if (own || precedes.stream().anyMatch(later -> choice.precedes(later))) {
                precedes.add(choice);
            } else if (choice.conflictsWith(command)) {
                choice.requests.add(request);
                return;
            }
        }
    }

    private static String names(List<@Nullable Command> next) {
        return next.stream()
                .map(command -> command == null ? "" : command.name())
                .toList()
                .toString();
    }

    private static Step firstOf(List<@Nullable Command> next) {
        int request = IntStream.range(0, next.size())
                .filter(i -> next.get(i) != null)
                .findFirst()
                .orElseThrow();
        return new Step(request, Fault.NONE);
    }

    /** Reports whether the last run repeated an order that has been run, except for steps that commute. */
    public boolean isRedundant() {
        return redundant;
    }

    /** Returns a scheduler that repeats an order. When it is used up, the first request that has not ended goes on. */
    public static Scheduler replay(String order) {
        List<Step> rest = new ArrayList<>(STEP.matcher(order)
                .results()
                .map(step -> new Step(Integer.parseInt(step.group(1)), Fault.of(step.group(2))))
                .toList());
        return next ->
                rest.isEmpty() || next.get(rest.getFirst().request()) == null ? firstOf(next) : rest.removeFirst();
    }

    /**
     * Returns a scheduler for one run in a random order.
     *
     * @param withFaults whether a random one of the first 16 commands meets a fault
     */
    public static Scheduler random(long seed, boolean withFaults) {
        var random = new SplittableRandom(seed); // Random(1) and Random(2) begin alike
        var commands = new AtomicInteger(withFaults ? random.nextInt(16) : -1);
        List<Fault> faults = List.copyOf(EnumSet.complementOf(EnumSet.of(Fault.NONE)));
        Fault fault = faults.get(random.nextInt(faults.size()));
        return next -> {
            int[] requests = IntStream.range(0, next.size())
                    .filter(i -> next.get(i) != null)
                    .toArray();
            int request = requests[random.nextInt(requests.length)];
            return new Step(request, commands.getAndDecrement() == 0 ? fault : Fault.NONE);
        };
    }
}
