package dev.latchkey.testing;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Explores all races in several configurations, and writes a row per race to a file. A race with a row is not explored
 * again, so that a run can be stopped at any time and continued. See {@code scripts/races}.
 */
public final class RaceReport {
    private static final int RUNS_PER_TRIPLE = 2000;
    private static final int WORKERS_PER_CORE = 5; // a run mostly waits: for replies and, after a fault, to reconnect
    private static final Pattern ROW =
            Pattern.compile("\\| (.+) \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| ([\\d.]+) \\|");

    /** @param maxSessions with 2, a login ends a session */
    private record Configuration(String tokenStorage, int maxSessions) {}

    private static final Configuration WITH_EVICTION = new Configuration("hashed", 2);
    private static final List<Configuration> CONFIGURATIONS = List.of(
            WITH_EVICTION,
            new Configuration("plain", 3),
            new Configuration("plain", 2),
            new Configuration("hashed", 3));

    /** A race that is explored in one configuration. */
    private record Item(Race race, Configuration in, boolean withFaults) {
        String kind() {
            boolean isPair = race.calls().size() == 2;
            String requests = isPair ? "pairs" : "triples";
            return "%s, %s, %d sessions%s"
                    .formatted(requests, in.tokenStorage, in.maxSessions, withFaults ? ", with faults" : "");
        }

        String name() {
            return race + " | " + kind();
        }
    }

    private final Path results;
    private final List<Item> items;
    private final Map<String, String> rows = new HashMap<>(); // by the names of their items
    private int part = 1;
    private int parts = 1;
    private int maxRuns = Integer.MAX_VALUE;
    private long seed;
    private boolean withTotals;

    private RaceReport(Path results, Deque<String> args) throws IOException {
        this.results = results;
        String expression = "";
        while (!args.isEmpty()) {
            String arg = args.removeFirst();
            switch (arg) {
                case "--part" -> {
                    String[] ofAll = String.valueOf(args.pollFirst()).split("/", 2);
                    part = Integer.parseInt(ofAll[0]);
                    parts = Integer.parseInt(ofAll[ofAll.length - 1]);
                }
                case "--max" -> maxRuns = Integer.parseInt(String.valueOf(args.pollFirst()));
                case "--seed" -> seed = Long.parseLong(String.valueOf(args.pollFirst()));
                case "--totals" -> withTotals = true;
                default -> expression = arg;
            }
        }
        if (part < 1 || part > parts) {
            throw new IllegalArgumentException("--part must be I/N, and I at least 1 and at most N");
        }
        Pattern selected = Pattern.compile(expression);
        List<Item> selectedItems = new ArrayList<>(allItems());
        selectedItems.removeIf(item -> !selected.matcher(item.name()).find());
        Collections.shuffle(selectedItems, new Random(0)); // so that all parts take about as long
        items = new ArrayList<>();
        for (int i = part - 1; i < selectedItems.size(); i += parts) {
            items.add(selectedItems.get(i));
        }
        if (items.isEmpty()) {
            throw new IllegalArgumentException("the expression must match something such as: "
                    + allItems().getFirst().name());
        }
        if (Files.exists(results)) {
            Files.readAllLines(results).forEach(this::add);
        }
    }

    private static List<Item> allItems() {
        List<Item> all = new ArrayList<>();
        for (Race pair : Race.pairs()) {
            CONFIGURATIONS.forEach(configuration -> all.add(new Item(pair, configuration, false)));
            // The format of the tokens changes no command, so two configurations suffice for the orders with a fault.
            CONFIGURATIONS.subList(0, 2).forEach(configuration -> all.add(new Item(pair, configuration, true)));
        }
        Race.triples().forEach(triple -> all.add(new Item(triple, WITH_EVICTION, false)));
        return all;
    }

    /** @param args the file of results, and the arguments of {@code scripts/races} */
    public static void main(String[] args) throws Exception {
        try {
            Deque<String> rest = new ArrayDeque<>(List.of(args));
            var report = new RaceReport(Path.of(rest.removeFirst()), rest);
            if (!report.withTotals) {
                report.exploreAll();
            }
            System.exit(report.printTotals() ? 0 : 1);
        } catch (IllegalArgumentException e) {
            System.err.println("scripts/races: " + e.getMessage());
            System.err.println("usage: scripts/races [--part I/N] [--max RUNS] [--seed NUMBER] [REGULAR-EXPRESSION]");
            System.err.println("       scripts/races --totals");
            System.exit(2);
        }
    }

    private void exploreAll() throws Exception {
        int workersEach =
                Math.ceilDiv(Runtime.getRuntime().availableProcessors() * WORKERS_PER_CORE, CONFIGURATIONS.size());
        List<Callable<@Nullable Void>> workers = new ArrayList<>();
        for (Configuration configuration : CONFIGURATIONS) {
            List<Item> left = items.stream()
                    .filter(item -> item.in.equals(configuration) && !rows.containsKey(item.name()))
                    .toList();
            Queue<Item> queue = new ConcurrentLinkedQueue<>(left);
            Callable<@Nullable Void> worker = () -> explore(queue, configuration);
            workers.addAll(Collections.nCopies(Math.min(workersEach, left.size()), worker));
        }
        try (var threads = Executors.newCachedThreadPool()) {
            for (Future<?> done : threads.invokeAll(workers)) {
                done.get();
            }
        }
    }

    private @Nullable Void explore(Queue<Item> queue, Configuration configuration) throws Exception {
        try (var instances = new Races(configuration.tokenStorage, configuration.maxSessions)) {
            for (Item item = queue.poll(); item != null; item = queue.poll()) {
                long start = System.nanoTime();
                var exploration = new Exploration(instances, item.race, item.withFaults);
                boolean isTriple = item.race.calls().size() > 2;
                var _ = isTriple
                        ? exploration.sample(seed, Math.min(maxRuns, RUNS_PER_TRIPLE))
                        : exploration.explore(true, maxRuns);
                long[] numbers = exploration.numbers();
                double seconds = (System.nanoTime() - start) / 1e9;
                boolean isCutOff = isTriple ? maxRuns < RUNS_PER_TRIPLE : exploration.sampled;
                String name = item.name() + (isCutOff ? " (not all orders)" : ""); // so it is not done
                write(String.format(
                        Locale.ROOT,
                        "| %s | %d | %d | %d | %d | %.1f |",
                        name,
                        numbers[0],
                        numbers[1],
                        numbers[2],
                        numbers[3],
                        seconds));
                exploration.violations().stream().limit(3).forEach(System.out::println);
            }
        }
        return null;
    }

    private synchronized void write(String row) throws IOException {
        System.out.println(row);
        Files.writeString(results, row + "\n", CREATE, APPEND);
        add(row);
    }

    private void add(String row) {
        Matcher matcher = ROW.matcher(row);
        if (matcher.matches()) {
            rows.put(matcher.group(1), row);
        }
    }

    // Returns false if a rule was broken.
    private boolean printTotals() {
        Map<String, List<Item>> kinds =
                items.stream().collect(Collectors.groupingBy(Item::kind, TreeMap::new, Collectors.toList()));
        String commit = results.getFileName().toString().replace(".md", "");
        System.out.println("# Races\n\nPrinted by `scripts/races --totals` for " + commit + """
                . Pairs in all orders, triples in 2,000 random ones. Each core has five workers.

                | races | all | not run yet | orders | with a fault | redundant | violations | worker hours |
                | --- | --- | --- | --- | --- | --- | --- | --- |""");
        for (var kind : kinds.entrySet()) {
            List<String> done = kind.getValue().stream()
                    .map(item -> rows.get(item.name()))
                    .flatMap(Stream::ofNullable)
                    .toList();
            double[] sums = new double[5];
            for (String row : done) {
                Matcher matcher = ROW.matcher(row);
                for (int i = 0; matcher.matches() && i < sums.length; i++) {
                    sums[i] += Double.parseDouble(matcher.group(i + 2));
                }
            }
            int all = kind.getValue().size();
            System.out.printf(
                    Locale.ROOT,
                    "| %s | %,d | %,d | %,.0f | %,.0f | %,.0f | %,.0f | %.1f |%n",
                    kind.getKey(),
                    all,
                    all - done.size(),
                    sums[0],
                    sums[1],
                    sums[2],
                    sums[3],
                    sums[4] / 3600);
        }
        return rows.values().stream()
                .map(ROW::matcher)
                .allMatch(row -> row.matches() && row.group(5).equals("0"));
    }
}
