package dev.latchkey.testing;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;

import dev.latchkey.testing.Races.Before;
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
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
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
    private static final int WORKERS_PER_CORE = 8; // a run mostly waits: for replies and, after a fault, to reconnect
    private static final Pattern ROW =
            Pattern.compile("\\| (.+) \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| ([\\d.]+) \\|");

    /** @param maxSessions with 2, a login ends a session */
    private record Configuration(String tokenStorage, int maxSessions) {}

    private static final Configuration WITH_EVICTION = new Configuration("hashed", 2);
    private static final Configuration WITHOUT_EVICTION = new Configuration("plain", 3);
    private static final List<Configuration> CONFIGURATIONS =
            List.of(WITH_EVICTION, WITHOUT_EVICTION, new Configuration("plain", 2), new Configuration("hashed", 3));

    /** A race that is explored in one configuration. */
    private record Item(Race race, Configuration in) {
        boolean isPair() {
            return race.calls().size() == 2;
        }

        // Requests send the same commands in all configurations, except those that start a session.
        boolean withFaults() {
            return isPair()
                    && (in.equals(WITH_EVICTION)
                            || (in.equals(WITHOUT_EVICTION) && race.has(Operation.Effect.STARTS_SESSION)));
        }

        String kind() {
            return "%s, %s, %d sessions".formatted(isPair() ? "pairs" : "triples", in.tokenStorage, in.maxSessions);
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
            CONFIGURATIONS.forEach(configuration -> all.add(new Item(pair, configuration)));
        }
        Race.triples().forEach(triple -> all.add(new Item(triple, WITH_EVICTION)));
        return all;
    }

    /** @param args the file of results, and the arguments of {@code scripts/races} */
    public static void main(String[] args) throws Exception {
        try {
            Deque<String> rest = new ArrayDeque<>(List.of(args));
            var report = new RaceReport(Path.of(rest.removeFirst()), rest);
            boolean isDone = report.withTotals || report.exploreAll();
            System.exit(report.printTotals() && isDone ? 0 : 1);
        } catch (IllegalArgumentException e) {
            System.err.println("scripts/races: " + e.getMessage());
            System.err.println("usage: scripts/races [--part I/N] [--max RUNS] [--seed NUMBER] [REGULAR-EXPRESSION]");
            System.err.println("       scripts/races --totals");
            System.exit(2);
        }
    }

    // Returns false if a race could not be explored. It has no row, and is explored the next time.
    private boolean exploreAll() throws Exception {
        boolean isDone = true;
        for (Configuration configuration : CONFIGURATIONS) {
            List<Item> left = items.stream()
                    .filter(item -> item.in.equals(configuration) && !rows.containsKey(item.name()))
                    .toList();
            boolean isParallel = left.stream().anyMatch(Item::withFaults);
            int maxWorkers = Runtime.getRuntime().availableProcessors() * WORKERS_PER_CORE;
            int workers = isParallel ? maxWorkers : Math.min(maxWorkers, left.size());
            var free = new ArrayBlockingQueue<Races>(Math.max(1, workers), true);
            for (int i = 0; i < workers; i++) {
                free.add(new Races(configuration.tokenStorage, configuration.maxSessions));
            }
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                List<Callable<@Nullable Void>> tasks = new ArrayList<>();
                left.forEach(item -> tasks.add(() -> explore(item, free, threads)));
                List<Future<@Nullable Void>> done = threads.invokeAll(tasks);
                for (int i = 0; i < done.size(); i++) {
                    if (done.get(i).state() == Future.State.FAILED) {
                        System.err.println(left.get(i).name());
                        done.get(i).exceptionNow().printStackTrace();
                        isDone = false;
                    }
                }
            }
            for (Races races : free) {
                races.close();
            }
        }
        return isDone;
    }

    private @Nullable Void explore(Item item, BlockingQueue<Races> free, ExecutorService threads) throws Exception {
        List<Exploration> all = new ArrayList<>();
        Races races = free.take();
        Before before;
        try {
            before = races.prepare(item.race);
            var exploration = new Exploration(item.race, before);
            all.add(
                    item.isPair()
                            ? exploration.explore(races, true, null, maxRuns)
                            : exploration.sample(races, seed, Math.min(maxRuns, RUNS_PER_TRIPLE)));
        } finally {
            free.add(races);
        }
        if (item.withFaults()) {
            List<Callable<Exploration>> tasks = new ArrayList<>();
            for (Injection injection : all.getFirst().injections()) {
                if (injection.request() == 0 || !item.race.isSymmetric()) {
                    tasks.add(() -> explore(item.race, before, injection, free));
                }
            }
            for (Future<Exploration> done : threads.invokeAll(tasks)) {
                all.add(done.get());
            }
        }
        long[] numbers = new long[5];
        for (Exploration exploration : all) {
            for (int i = 0; i < numbers.length; i++) {
                numbers[i] += exploration.numbers()[i];
            }
            exploration.violations().stream().limit(3).forEach(System.out::println);
        }
        boolean isComplete =
                all.stream().allMatch(Exploration::isComplete) && (item.isPair() || maxRuns >= RUNS_PER_TRIPLE);
        String name = item.name() + (isComplete ? "" : " (not all orders)"); // so it is not done
        write(String.format(
                Locale.ROOT,
                "| %s | %d | %d | %d | %d | %.1f |",
                name,
                numbers[0],
                numbers[1],
                numbers[2],
                numbers[3],
                numbers[4] / 1000.0));
        return null;
    }

    private Exploration explore(Race race, Before before, Injection injection, BlockingQueue<Races> free)
            throws Exception {
        Races races = free.take();
        try {
            return new Exploration(race, before).explore(races, true, injection, maxRuns);
        } finally {
            free.add(races);
        }
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
                . Pairs in all orders, triples in 2,000 random ones. Each core has eight workers. An order is
                equivalent if it differs from another one only in steps that commute.

                | races | all | not run yet | orders | with a fault | equivalent | violations | worker hours |
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
