package dev.latchkey.testing;

import dev.latchkey.testing.Races.Race;
import dev.latchkey.testing.Races.Result;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.ToLongFunction;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Explores all races in several configurations, and prints a table. See {@code scripts/races}. */
public final class RaceReport {
    private static final int DEFAULT_MAX_RUNS = 20_000;
    private static final int RUNS_PER_TRIPLE = 100;
    // A run mostly waits: for replies and, after a fault, for Lettuce to reconnect.
    private static final int WORKERS_PER_CORE = 4;
    private static final int WORKERS_PER_CORE_WITH_FAULTS = 6;

    private record Configuration(String storage, int maxSessions) {}

    private record Row(Race race, Configuration configuration, Result result, double seconds) {
        private static final String HEADER = """
                | requests | storage | sessions | commands | all orders | run | with faults | redundant | violations | s |
                | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |""";

        /** Returns the number of orders of that many commands. */
        private long allOrders() {
            long orders = 1;
            long commands = 0;
            for (int ofRequest : result.commands()) {
                for (int i = 1; i <= ofRequest; i++) {
                    orders = orders * ++commands / i;
                }
            }
            return orders;
        }

        @Override
        public String toString() {
            return "| %s | %s | %d | %s | %d | %d%s | %d | %d | %d | %.1f |"
                    .formatted(
                            race,
                            configuration.storage(),
                            configuration.maxSessions(),
                            result.commands(),
                            allOrders(),
                            result.orders(),
                            result.sampled() ? " (not all)" : "",
                            result.faults(),
                            result.redundant(),
                            result.violations().size(),
                            seconds);
        }
    }

    private final boolean withFaults;
    private final int maxRuns;
    private final List<Race> races;
    private final List<Row> rows = new ArrayList<>();

    private RaceReport(boolean withFaults, int maxRuns, List<Race> races) {
        this.withFaults = withFaults;
        this.maxRuns = maxRuns;
        this.races = races;
    }

    /** @param args as {@code scripts/races} describes them */
    public static void main(String[] args) throws Exception {
        RaceReport report;
        try {
            report = parse(new ArrayDeque<>(List.of(args)));
        } catch (IllegalArgumentException e) {
            System.err.println("scripts/races: " + e.getMessage());
            System.err.println("usage: scripts/races [--faults] [--max RUNS] [REGULAR-EXPRESSION]");
            System.exit(2);
            return;
        }
        System.out.println(Row.HEADER);
        report.exploreAll();
        report.printTotals();
        System.exit(report.sum(row -> row.result().violations().size()) == 0 ? 0 : 1);
    }

    private static RaceReport parse(Deque<String> args) {
        boolean withFaults = args.removeFirstOccurrence("--faults");
        int maxRuns = DEFAULT_MAX_RUNS;
        if ("--max".equals(args.peekFirst())) {
            args.removeFirst();
            String max = args.isEmpty() ? "" : args.removeFirst();
            if (!max.matches("[1-9][0-9]{0,8}")) {
                throw new IllegalArgumentException("--max needs a number of runs, from 1 to 999999999");
            }
            maxRuns = Integer.parseInt(max);
        }
        Pattern names = Pattern.compile(args.isEmpty() ? "" : args.removeFirst());
        List<Race> races = Stream.concat(Race.pairs().stream(), Race.triples().stream())
                .filter(race -> names.matcher(race.toString()).find())
                .sorted(Comparator.comparing(RaceReport::isLong).reversed())
                .toList();
        if (races.isEmpty() || !args.isEmpty()) {
            throw new IllegalArgumentException("needs one regular expression, which matches something such as: "
                    + Race.triples().getFirst());
        }
        return new RaceReport(withFaults, maxRuns, races);
    }

    private void exploreAll() throws Exception {
        List<Configuration> configurations = List.of(
                new Configuration("plain", 3),
                new Configuration("hashed", 2),
                new Configuration("plain", 2),
                new Configuration("hashed", 3));
        int workersPerCore = WORKERS_PER_CORE;
        if (withFaults) {
            // The format of the tokens changes no command, so that one format without eviction and one with it suffice.
            configurations = configurations.subList(0, 2);
            workersPerCore = WORKERS_PER_CORE_WITH_FAULTS;
        }
        int allWorkers = Runtime.getRuntime().availableProcessors() * workersPerCore;
        List<Callable<Boolean>> workers = new ArrayList<>();
        for (Configuration configuration : configurations) {
            Queue<Race> queue = new ConcurrentLinkedQueue<>(races);
            workers.addAll(Collections.nCopies(
                    Math.ceilDiv(allWorkers, configurations.size()), () -> explore(queue, configuration)));
        }
        try (var threads = Executors.newCachedThreadPool()) {
            for (Future<Boolean> worker : threads.invokeAll(workers)) {
                worker.get();
            }
        }
    }

    // Two such requests have the most orders. They are run first, so that no worker is busy alone at the end.
    private static boolean isLong(Race race) {
        return race.toString().matches("(.*(CHANGE_PASSWORD|DELETE_ACCOUNT|LOGOUT_EVERYWHERE)){2}.*");
    }

    private boolean explore(Queue<Race> queue, Configuration configuration) throws Exception {
        try (var races = new Races(configuration.storage(), configuration.maxSessions())) {
            for (Race race = queue.poll(); race != null; race = queue.poll()) {
                long start = System.nanoTime();
                Result result = race.calls().size() > 2
                        ? races.sample(race, withFaults, 0, Math.min(maxRuns, RUNS_PER_TRIPLE))
                        : races.explore(race, true, withFaults, maxRuns);
                add(new Row(race, configuration, result, (System.nanoTime() - start) / 1e9));
            }
        }
        return true;
    }

    private synchronized void add(Row row) {
        rows.add(row);
        System.out.println(row);
        row.result().violations().stream().limit(3).forEach(System.out::println);
    }

    private long sum(ToLongFunction<Row> value) {
        return rows.stream().mapToLong(value).sum();
    }

    private void printTotals() {
        System.out.printf(
                "%n%d races, %d orders: %d run, and %d with a fault; %d redundant runs; %d violations%n",
                rows.size(),
                sum(Row::allOrders),
                sum(row -> row.result().orders()),
                sum(row -> row.result().faults()),
                sum(row -> row.result().redundant()),
                sum(row -> row.result().violations().size()));
        Map<String, Set<String>> remains = new TreeMap<>();
        rows.forEach(row -> row.result()
                .remains()
                .forEach((fault, what) ->
                        remains.computeIfAbsent(fault, _ -> new TreeSet<>()).addAll(what)));
        remains.values().removeIf(Set::isEmpty);
        System.out.println(remains.isEmpty() ? "" : "\nWhat faults left behind:");
        remains.forEach((fault, what) -> System.out.println("- " + fault + ": " + String.join("; ", what)));
    }
}
