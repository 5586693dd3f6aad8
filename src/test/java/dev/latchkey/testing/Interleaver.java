package dev.latchkey.testing;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
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
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Runs two requests against one Redis, one Redis command at a time, in an order that a seed or an {@link Explorer}
 * determines. Tests use it to find race conditions and to reproduce them.
 *
 * <p>Each request must be sent to its own instance of the service. The instance connects to Redis through a {@link
 * Lane}: a proxy that holds every command until it is that request's turn.
 */
public final class Interleaver implements AutoCloseable {
    private static final Duration DEADLINE = Duration.ofSeconds(20);

    private enum State {
        /** No request is being controlled: commands pass. */
        FREE,
        /** The request is running and may send one command. */
        RUNNING,
        /** The lane holds a command of the request. */
        HELD,
        /** The request has ended. */
        DONE
    }

    private final Lane first;
    private final Lane second;

    public Interleaver(String redisUrl) throws IOException {
        first = new Lane(redisUrl);
        second = new Lane(redisUrl);
    }

    /** Returns the Redis URL for the instance that serves the first request. */
    public String firstUrl() {
        return first.url();
    }

    /** Returns the Redis URL for the instance that serves the second request. */
    public String secondUrl() {
        return second.url();
    }

    /** The results of both requests. */
    public record Both<T>(T first, T second) {}

    /**
     * A command that is about to be sent.
     *
     * @param key the first key; empty if the command uses none
     */
    public record Command(String name, String key) {
        // Scripts count as writes.
        private static final Set<String> READS = Set.of("GET", "HGET", "HGETALL", "HKEYS", "HMGET", "EXISTS", "PTTL");

        static Command of(byte[] bytes) {
            String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\r\n", -1);
            String name = lines[2].toUpperCase(Locale.ROOT);
            int key = name.startsWith("EVAL") ? 8 : 4; // after the script and the number of keys
            return new Command(name, key < lines.length ? lines[key] : "");
        }

        /** Reports whether the order of two commands matters neither for their replies nor for Redis. */
        public boolean commutesWith(Command other) {
            return !key.equals(other.key) || (READS.contains(name) && READS.contains(other.name));
        }
    }

    /** Decides which request sends its next command. */
    @FunctionalInterface
    public interface Scheduler {
        /**
         * Returns the index of the request.
         *
         * @param next the next command of each request; null if the request has ended
         */
        int choose(List<@Nullable Command> next);
    }

    /** Runs both requests in the order of a scheduler. */
    public <T> Both<T> run(Scheduler scheduler, Callable<T> one, Callable<T> other) throws Exception {
        List<Lane> lanes = List.of(first, second);
        FutureTask<T> firstTask = first.start(one);
        FutureTask<T> secondTask = second.start(other);
        while (awaitNoneRunning()) {
            List<@Nullable Command> next = new ArrayList<>();
            lanes.forEach(lane -> next.add(lane.state == State.HELD ? Command.of(lane.held) : null));
            lanes.get(scheduler.choose(next)).set(State.RUNNING);
        }
        lanes.forEach(lane -> lane.set(State.FREE));
        return new Both<>(firstTask.get(), secondTask.get());
    }

    /** Runs both requests. The same seed gives the same order of commands. */
    public <T> Both<T> run(long seed, Callable<T> one, Callable<T> other) throws Exception {
        var random = new Random(seed);
        // The turn passes to the other request after every second command on average, rarely, or exactly once. In the
        // last case, it passes after a few commands and returns when the other request has ended.
        double switchProbability = List.of(0.5, 0.12, 0.0).get(random.nextInt(3));
        int switchAfter = switchProbability == 0 ? random.nextInt(8) : -1;
        return run(scheduler(random, switchProbability, switchAfter, random.nextBoolean() ? 0 : 1), one, other);
    }

    /**
     * Runs {@code commands} commands of the first request, then all of the second request, then the rest of the
     * first request.
     */
    public <T> Both<T> runAfter(int commands, Callable<T> one, Callable<T> other) throws Exception {
        return run(scheduler(new Random(0), 0, commands, 0), one, other);
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
            return current.get();
        };
    }

    /** Runs both requests concurrently, without controlling the order of their commands. */
    public <T> Both<T> runFreely(Callable<T> one, Callable<T> other) throws Exception {
        var start = new CyclicBarrier(2);
        var running = new FutureTask<>(() -> {
            start.await();
            return one.call();
        });
        Thread.startVirtualThread(running);
        start.await();
        T result = other.call();
        return new Both<>(running.get(), result);
    }

    /** Waits until neither request is running. Reports whether at least one request has not ended. */
    private synchronized boolean awaitNoneRunning() throws InterruptedException {
        Instant deadline = Instant.now().plus(DEADLINE);
        while (first.state == State.RUNNING || second.state == State.RUNNING) {
            wait(1000);
            if (Instant.now().isAfter(deadline)) {
                throw new IllegalStateException(
                        "a request hangs; states of both requests: " + first.state + ", " + second.state);
            }
        }
        return first.state != State.DONE || second.state != State.DONE;
    }

    @Override
    public void close() throws IOException {
        first.close();
        second.close();
    }

    /** The proxy between Redis and one instance of the service. */
    private final class Lane implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
        private final URI redis;
        private volatile State state = State.FREE;
        private volatile byte[] held = {};

        Lane(String redisUrl) throws IOException {
            redis = URI.create(redisUrl);
            Thread.startVirtualThread(this::accept);
        }

        String url() {
            return "redis://localhost:" + server.getLocalPort();
        }

        void set(State next) {
            synchronized (Interleaver.this) {
                state = next;
                Interleaver.this.notifyAll();
            }
        }

        <T> FutureTask<T> start(Callable<T> request) {
            set(State.RUNNING);
            var task = new FutureTask<>(() -> {
                try {
                    return request.call();
                } finally {
                    set(State.DONE);
                }
            });
            Thread.startVirtualThread(task);
            return task;
        }

        private void accept() {
            try {
                while (true) {
                    Socket client = server.accept();
                    Socket upstream = new Socket(redis.getHost(), redis.getPort());
                    client.setTcpNoDelay(true);
                    upstream.setTcpNoDelay(true);
                    Thread.startVirtualThread(() -> forwardCommands(client, upstream));
                    Thread.startVirtualThread(() -> forwardReplies(client, upstream));
                }
            } catch (IOException _) {
                // The lane was closed.
            }
        }

        private void forwardCommands(Socket client, Socket upstream) {
            try (client;
                    upstream) {
                var in = new BufferedInputStream(client.getInputStream());
                while (true) {
                    byte[] command = readCommand(in);
                    awaitTurn(command);
                    upstream.getOutputStream().write(command);
                }
            } catch (IOException | InterruptedException _) {
                // The connection was closed.
            }
        }

        private static void forwardReplies(Socket client, Socket upstream) {
            try (client;
                    upstream) {
                upstream.getInputStream().transferTo(client.getOutputStream());
            } catch (IOException _) {
                // The connection was closed.
            }
        }

        private void awaitTurn(byte[] command) throws InterruptedException {
            synchronized (Interleaver.this) {
                if (state == State.RUNNING) { // after the response, a clean-up is not held
                    held = command;
                    set(State.HELD);
                    while (state == State.HELD) {
                        Interleaver.this.wait();
                    }
                }
            }
        }

        @Override
        public void close() throws IOException {
            server.close();
        }
    }

    /** Reads one command of a Redis client, which is an array of bulk strings, and returns its bytes. */
    public static byte[] readCommand(InputStream in) throws IOException {
        var command = new ByteArrayOutputStream();
        int parts = readLength(in, command);
        for (int i = 0; i < parts; i++) {
            int length = readLength(in, command);
            command.write(in.readNBytes(length + 2));
        }
        return command.toByteArray();
    }

    private static int readLength(InputStream in, ByteArrayOutputStream command) throws IOException {
        var line = new ByteArrayOutputStream();
        int c;
        do {
            c = in.read();
            if (c < 0) {
                throw new EOFException();
            }
            line.write(c);
        } while (c != '\n');
        command.write(line.toByteArray());
        return Integer.parseInt(
                line.toString(StandardCharsets.US_ASCII).substring(1).strip());
    }
}
