package dev.latchkey.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Runs requests against one Redis, one Redis command at a time, in an order that a seed or an {@link Explorer}
 * determines. Tests use it to find race conditions and to reproduce them.
 *
 * <p>Each request must be sent to its own instance of the service. The instance connects to Redis through a proxy
 * that holds every command until it is that request's turn.
 */
public final class Interleaver implements AutoCloseable {
    private static final Duration DEADLINE = Duration.ofSeconds(20);

    private final Object monitor = new Object();
    private final List<Lane> lanes = new ArrayList<>();

    /** @param requests that can run at the same time */
    public Interleaver(String redisUrl, int requests) throws IOException {
        for (int i = 0; i < requests; i++) {
            lanes.add(new Lane(redisUrl, monitor));
        }
    }

    /** Returns the Redis URL for the instance that serves a request. Requests are counted from 0. */
    public String url(int request) {
        return lanes.get(request).url();
    }

    /** Returns the clean-up threads for the instance that serves a request. Their tasks are a part of the request. */
    public ThreadFactory cleanUpThreads(int request) {
        return lanes.get(request).cleanUpThreads();
    }

    /** What happens to a command. */
    public enum Fault {
        /** It is executed, and its reply arrives. */
        NONE(""),
        /** The connection is closed before the command is sent. */
        NOT_SENT("n"),
        /** The command is executed, and the connection is closed before its reply arrives. */
        REPLY_LOST("l"),
        /** The reply is an error, and the command is not executed. */
        ERROR("e"),
        /**
         * The process of the request has ended before the command. As it cannot end in a test, all commands from then
         * on are refused, and its response must be ignored.
         */
        GONE("g");

        private final String letter;

        Fault(String letter) {
            this.letter = letter;
        }

        /** @param letter as in {@link Step#toString} */
        static Fault of(String letter) {
            return Stream.of(values())
                    .filter(fault -> fault.letter.equals(letter))
                    .findFirst()
                    .orElseThrow();
        }

        boolean isExecuted() {
            return this == NONE || this == REPLY_LOST;
        }
    }

    /**
     * A command that is about to be sent.
     *
     * @param key the only key; empty if the command uses none or several
     */
    public record Command(String name, String key) {
        // Scripts count as writes.
        private static final Set<String> READS = Set.of("GET", "MGET", "HGET", "HGETALL", "HKEYS", "HMGET", "PTTL");

        static Command of(byte[] bytes) {
            String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\r\n", -1);
            String name = lines[2].toUpperCase(Locale.ROOT);
            int key = name.startsWith("EVAL") ? 8 : 4; // after the script and the number of keys
            return new Command(name, key < lines.length && !name.equals("MGET") ? lines[key] : "");
        }

        private boolean isRead() {
            return READS.contains(name);
        }

        /** Reports whether the order of two commands matters neither for their replies nor for Redis. */
        public boolean commutesWith(Command other) {
            boolean differentKeys = !key.isEmpty() && !other.key.isEmpty() && !key.equals(other.key);
            return differentKeys || (isRead() && other.isRead());
        }

        /** Returns an error that Redis really replies to such a command. */
        String error() {
            if (isRead()) {
                return "-LOADING Redis is loading the dataset in memory\r\n";
            }
            return name.endsWith("DEL")
                    ? "-READONLY You can't write against a read only replica.\r\n"
                    : "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
        }
    }

    /** The next command of a request, and what happens to it. */
    public record Step(int request, Fault fault) {
        /** As a text such as {@code 0}, or {@code 1l} for a lost reply. {@link Explorer#replay} reads a list of them. */
        @Override
        public String toString() {
            return request + fault.letter;
        }
    }

    /** Decides which request sends its next command. */
    @FunctionalInterface
    public interface Scheduler {
        /** @param next the next command of each request; null if the request has ended */
        Step choose(List<@Nullable Command> next);
    }

    /** Runs requests in the order of a scheduler. Returns the results. */
    public <T> List<T> run(Scheduler scheduler, List<Callable<T>> requests) throws Exception {
        List<FutureTask<T>> tasks = new ArrayList<>();
        for (Callable<T> request : requests) {
            tasks.add(lanes.get(tasks.size()).start(request));
        }
        synchronized (monitor) {
            while (awaitNoneRunning()) {
                List<@Nullable Command> next = new ArrayList<>();
                lanes.subList(0, requests.size()).forEach(lane -> next.add(lane.held()));
                Step step = scheduler.choose(next);
                lanes.get(step.request()).pass(step.fault());
            }
            lanes.forEach(Lane::release);
        }
        List<T> results = new ArrayList<>();
        for (FutureTask<T> task : tasks) {
            results.add(task.get());
        }
        return results;
    }

    /** Runs two requests. The same seed gives the same order of commands. */
    public <T> List<T> run(long seed, Callable<T> one, Callable<T> other) throws Exception {
        var random = new Random(seed);
        // The turn passes to the other request after every second command on average, rarely, or exactly once. In the
        // last case, it passes after a few commands and returns when the other request has ended.
        double switchProbability = List.of(0.5, 0.12, 0.0).get(random.nextInt(3));
        int switchAfter = switchProbability == 0 ? random.nextInt(8) : -1;
        int start = random.nextBoolean() ? 0 : 1;
        return run(scheduler(random, switchProbability, switchAfter, start), List.of(one, other));
    }

    /**
     * Runs {@code commands} commands of the first request, then all of the second request, then the rest of the
     * first request.
     */
    public <T> List<T> runAfter(int commands, Callable<T> one, Callable<T> other) throws Exception {
        return run(scheduler(new Random(0), 0, commands, 0), List.of(one, other));
    }

    private static Scheduler scheduler(Random random, double switchProbability, int switchAfter, int start) {
        var current = new AtomicInteger(start);
        var commands = new AtomicInteger();
        return next -> {
            int other = 1 - current.get();
            boolean isSwitch = random.nextDouble() < switchProbability || commands.getAndIncrement() == switchAfter;
            if (next.get(current.get()) == null || (isSwitch && next.get(other) != null)) {
                current.set(other);
            }
            return new Step(current.get(), Fault.NONE);
        };
    }

    /** Runs two requests concurrently, without controlling the order of their commands. */
    public static <T> List<T> runFreely(Callable<T> one, Callable<T> other) throws Exception {
        var start = new CyclicBarrier(2);
        var running = new FutureTask<>(() -> {
            start.await();
            return one.call();
        });
        Thread.startVirtualThread(running);
        start.await();
        T result = other.call();
        return List.of(running.get(), result);
    }

    /** Waits until no request is running. Reports whether at least one request has not ended. */
    private boolean awaitNoneRunning() throws InterruptedException {
        Instant deadline = Instant.now().plus(DEADLINE);
        while (lanes.stream().anyMatch(Lane::isRunning)) {
            monitor.wait(1000);
            if (Instant.now().isAfter(deadline)) {
                List<Boolean> running = lanes.stream().map(Lane::isRunning).toList();
                throw new IllegalStateException("a request hangs; which ones are running: " + running);
            }
        }
        return lanes.stream().anyMatch(lane -> lane.held() != null);
    }

    @Override
    public void close() throws IOException {
        for (Lane lane : lanes) {
            lane.close();
        }
    }
}
