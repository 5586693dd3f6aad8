package dev.latchkey.testing;

import dev.latchkey.testing.Races.Before;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Runs a race in many orders, and collects what it finds. */
public final class Exploration {
    private final Races races;
    private final Race race;
    private final Before before;
    private final boolean withFaults;
    private final Set<String> outcomes = new TreeSet<>();
    private final List<String> violations = new ArrayList<>();
    boolean sampled; // not all orders were run, and some of those that were are random
    private int orders;
    private int faults; // orders with a fault, in addition to the others
    private int redundant;

    /** @param withFaults whether one command of each order may meet a fault */
    public Exploration(Races races, Race race, boolean withFaults) {
        this.races = races;
        this.race = race;
        this.withFaults = withFaults;
        before = races.prepare(race);
    }

    /**
     * Runs all orders. If there are more than {@code max}, runs as many, and then as many random orders.
     *
     * @param reduced whether orders that differ only in steps that commute count as one
     */
    public Exploration explore(boolean reduced, int max) throws Exception {
        var explorer = new Explorer(reduced, withFaults);
        do {
            if (orders + faults + redundant == max) {
                return sample(0, max);
            }
            Run run = races.run(race, before, explorer);
            if (explorer.isRedundant()) {
                redundant++;
            } else {
                add(run);
            }
        } while (explorer.next());
        return this;
    }

    /** Runs random orders. The same first seed always gives the same orders. */
    public Exploration sample(long firstSeed, int runs) throws Exception {
        sampled = true;
        for (int i = 0; i < runs; i++) {
            add(races.run(race, before, Scheduler.random(firstSeed + i, withFaults)));
        }
        return this;
    }

    private void add(Run run) {
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

    /** Returns how many orders were run, were run with a fault, were redundant, and broke a rule. */
    long[] numbers() {
        return new long[] {orders, faults, redundant, violations.size()};
    }

    /** Returns the number of orders without a fault that were run. */
    public int orders() {
        return orders;
    }

    /** Returns the final states. Two runs with the same effect have the same text. */
    public Set<String> outcomes() {
        return outcomes;
    }

    /** Returns the rules that were broken, each with its order and its number. The order is what {@link Scheduler#replay} repeats. */
    public List<String> violations() {
        return violations;
    }
}
