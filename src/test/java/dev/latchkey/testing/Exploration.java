package dev.latchkey.testing;

import dev.latchkey.testing.Races.Before;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Runs a race in many orders, and collects what it finds. */
public final class Exploration {
    private final Race race;
    private final Before before;
    private final Set<Injection> injections = new LinkedHashSet<>(); // that some order without a fault could meet
    private final Set<String> outcomes = new TreeSet<>();
    private final List<String> violations = new ArrayList<>();
    private int orders;
    private int faults; // orders with a fault, in addition to the others
    private int equivalent; // to others, except for steps that commute
    private boolean complete = true;
    private long nanos;

    /** @param before the state before each run */
    public Exploration(Race race, Before before) {
        this.race = race;
        this.before = before;
    }

    /** Runs all orders, and all orders in which one command meets a fault. */
    public static Exploration withFaults(Races races, Race race, boolean reduced) throws Exception {
        Before before = races.prepare(race);
        var exploration = new Exploration(race, before).explore(races, reduced, null, Integer.MAX_VALUE);
        for (Injection injection : exploration.injections) {
            var _ = exploration.explore(races, reduced, injection, Integer.MAX_VALUE);
        }
        return exploration;
    }

    /**
     * Runs all orders, but at most {@code max}.
     *
     * @param reduced whether orders that differ only in steps that commute count as one
     * @param injection of a fault; orders that do not meet it count as equivalent; null for none
     */
    public Exploration explore(Races races, boolean reduced, @Nullable Injection injection, int max) throws Exception {
        long start = System.nanoTime();
        var explorer = new Explorer(reduced, injection);
        int runs = 0;
        do {
            if (runs++ == max) {
                complete = false;
                break;
            }
            Run run = races.run(race, before, explorer);
            if (explorer.isRedundant() || (injection != null && !run.isFaulty())) {
                equivalent++;
            } else {
                if (injection == null) {
                    addInjections(run, reduced);
                }
                add(races, run);
            }
        } while (explorer.next());
        nanos += System.nanoTime() - start;
        return this;
    }

    private void addInjections(Run run, boolean reduced) {
        for (Exchange request : run.requests()) {
            int number = request.call().number();
            for (Fault fault : EnumSet.complementOf(EnumSet.of(Fault.NONE))) {
                for (int i = 0; i < Injection.count(fault, run.commands().get(number), reduced); i++) {
                    injections.add(new Injection(number, fault, i));
                }
            }
        }
    }

    /**
     * Chooses random orders, and runs those that do not differ from an earlier one only in steps that commute. The same
     * first seed always gives the same orders.
     */
    public Exploration sample(Races races, long firstSeed, int runs) throws Exception {
        long start = System.nanoTime();
        var orders = new RandomOrders();
        for (int i = 0; i < runs; i++) {
            if (orders.next(firstSeed + i)) {
                add(races, races.run(race, before, orders));
            } else {
                equivalent++;
            }
        }
        nanos += System.nanoTime() - start;
        return this;
    }

    /**
     * Runs random orders in which a random command meets a random fault. The same first seed always gives the same
     * orders.
     */
    public Exploration sampleFaults(Races races, long firstSeed, int runs) throws Exception {
        for (int i = 0; i < runs; i++) {
            add(races, races.run(race, before, Scheduler.random(firstSeed + i)));
        }
        return this;
    }

    private void add(Races races, Run run) {
        if (run.isFaulty()) {
            faults++;
        } else {
            orders++;
        }
        try {
            races.check(run);
            outcomes.add(run.toString());
        } catch (AssertionError e) {
            violations.add(run.order() + " (run " + (orders + faults) + "): " + e.getMessage());
        }
    }

    /** Returns the faults that a command can meet in some order, of those that were run without a fault. */
    public Set<Injection> injections() {
        return injections;
    }

    /**
     * Returns how many orders were run, were run with a fault, were equivalent to others, and broke a rule, and the
     * milliseconds.
     */
    long[] numbers() {
        return new long[] {orders, faults, equivalent, violations.size(), nanos / 1_000_000};
    }

    /** Reports whether all orders were run. */
    boolean isComplete() {
        return complete;
    }

    /** Returns the number of orders without a fault that were run. */
    public int orders() {
        return orders;
    }

    /** Returns the final states. Two runs with the same effect have the same text. */
    public Set<String> outcomes() {
        return outcomes;
    }

    /**
     * Returns the rules that were broken, each with its order and its number. The order is what {@link Scheduler#replay}
     * repeats.
     */
    public List<String> violations() {
        return violations;
    }
}
