package dev.latchkey.testing;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** Explores all races in several configurations, and prints a table. See {@code scripts/races}. */
public final class RaceReport {
    private static final int RUNS_PER_TRIPLE = 100;
    private static final String HEADER = """
            | requests | storage | sessions | orders | with a fault | redundant | violations | seconds |
            | --- | --- | --- | --- | --- | --- | --- | --- |""";

    private record Configuration(String tokenStorage, int maxSessions) {}

    private static final List<Configuration> CONFIGURATIONS = List.of(
            new Configuration("plain", 3),
            new Configuration("hashed", 2),
            new Configuration("plain", 2),
            new Configuration("hashed", 3));

    private final List<Race> races;
    private final long[] totals = new long[4]; // of Exploration.numbers
    private boolean withFaults;
    private int maxRuns = 20_000;

    private RaceReport(Deque<String> args) {
        String expression = "";
        while (!args.isEmpty()) {
            String arg = args.removeFirst();
            switch (arg) {
                case "--faults" -> withFaults = true;
                case "--max" -> maxRuns = Integer.parseInt(String.valueOf(args.pollFirst()));
                default -> expression = arg;
            }
        }
        Pattern selected = Pattern.compile(expression);
        races = Stream.concat(Race.pairs().stream(), Race.triples().stream())
                .filter(race -> selected.matcher(race.toString()).find())
                .toList()
                .reversed(); // so that no worker is busy alone at the end with a pair that has many orders
        if (races.isEmpty()) {
            throw new IllegalArgumentException("the expression must match something such as: "
                    + Race.triples().getFirst());
        }
    }

    /** @param args as {@code scripts/races} describes them */
    public static void main(String[] args) throws Exception {
        try {
            var report = new RaceReport(new ArrayDeque<>(List.of(args)));
            System.out.println(HEADER);
            report.exploreAll();
            System.out.println("| all | | | " + cells(report.totals) + " | |");
            System.exit(report.totals[3] == 0 ? 0 : 1);
        } catch (IllegalArgumentException e) {
            System.err.println("scripts/races: " + e.getMessage());
            System.err.println("usage: scripts/races [--faults] [--max RUNS] [REGULAR-EXPRESSION]");
            System.exit(2);
        }
    }

    private void exploreAll() throws Exception {
        int workersPerCore = withFaults ? 6 : 4; // a run mostly waits: for replies and, after a fault, to reconnect
        // The format of the tokens changes no command, so that the first two suffice for the many orders with a fault.
        List<Configuration> configurations = CONFIGURATIONS.subList(0, withFaults ? 2 : CONFIGURATIONS.size());
        int workersEach = Runtime.getRuntime().availableProcessors() * workersPerCore / configurations.size();
        List<Callable<Boolean>> workers = new ArrayList<>();
        for (Configuration configuration : configurations) {
            Queue<Race> queue = new ConcurrentLinkedQueue<>(races);
            workers.addAll(Collections.nCopies(Math.max(1, workersEach), () -> explore(queue, configuration)));
        }
        try (var threads = Executors.newCachedThreadPool()) {
            for (Future<Boolean> worker : threads.invokeAll(workers)) {
                worker.get();
            }
        }
    }

    private boolean explore(Queue<Race> queue, Configuration configuration) throws Exception {
        try (var instances = new Races(configuration.tokenStorage, configuration.maxSessions)) {
            for (Race race = queue.poll(); race != null; race = queue.poll()) {
                long start = System.nanoTime();
                var exploration = new Exploration(instances, race, withFaults);
                var _ = race.calls().size() > 2
                        ? exploration.sample(0, Math.min(maxRuns, RUNS_PER_TRIPLE))
                        : exploration.explore(true, maxRuns);
                double seconds = (System.nanoTime() - start) / 1e9;
                String name = race + (exploration.sampled ? " (not all orders)" : "");
                String columns = "%s | %s | %d".formatted(name, configuration.tokenStorage, configuration.maxSessions);
                print("| %s | %s | %.1f |".formatted(columns, cells(exploration.numbers()), seconds), exploration);
            }
        }
        return true;
    }

    private synchronized void print(String row, Exploration exploration) {
        System.out.println(row);
        exploration.violations().stream().limit(3).forEach(System.out::println);
        for (int i = 0; i < totals.length; i++) {
            totals[i] += exploration.numbers()[i];
        }
    }

    private static String cells(long[] numbers) {
        return LongStream.of(numbers).mapToObj(Long::toString).collect(Collectors.joining(" | "));
    }
}
