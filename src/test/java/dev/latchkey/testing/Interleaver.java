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
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.FutureTask;

/**
 * Runs two requests against one Redis, one command at a time, in an order drawn from a seed: the same seed, the same order.
 * Each request is served by an instance of its own, whose commands pass a {@link Lane}: a proxy that holds every one of them
 * until it is that request's turn.
 */
public final class Interleaver implements AutoCloseable {
    private static final Duration DEADLINE = Duration.ofSeconds(20);

    private enum State {
        FREE,
        RUNNING,
        HELD,
        DONE
    }

    private final Lane first;
    private final Lane second;

    public Interleaver(String redisUrl) throws IOException {
        first = new Lane(redisUrl);
        second = new Lane(redisUrl);
    }

    /** What the instance that runs the first request connects to. */
    public String firstUrl() {
        return first.url();
    }

    public String secondUrl() {
        return second.url();
    }

    /** Both answers. */
    public record Both<T>(T first, T second) {}

    public <T> Both<T> run(long seed, Callable<T> one, Callable<T> other) throws Exception {
        var random = new Random(seed);
        // how often it is the other's turn: mostly, seldom, or once, after so many commands, until the other is done
        double change = List.of(0.5, 0.12, 0.0).get(random.nextInt(3));
        int onceAfter = change == 0 ? random.nextInt(8) : -1;
        return run(random, change, onceAfter, random.nextBoolean() ? first : second, one, other);
    }

    /** Sends {@code commands} of the first request, then all of the other, then the rest. */
    public <T> Both<T> runAfter(int commands, Callable<T> one, Callable<T> other) throws Exception {
        return run(new Random(0), 0, commands, first, one, other);
    }

    private <T> Both<T> run(Random random, double change, int onceAfter, Lane start, Callable<T> one, Callable<T> other)
            throws Exception {
        int commands = 0;
        FutureTask<T> running = first.start(one);
        FutureTask<T> running2 = second.start(other);
        Lane current = start;
        while (awaitBothStill()) {
            Lane next = current == first ? second : first;
            boolean changes = random.nextDouble() < change || commands++ == onceAfter;
            if (current.state == State.DONE || (changes && next.state == State.HELD)) {
                current = next;
            }
            current.set(State.RUNNING);
        }
        first.set(State.FREE);
        second.set(State.FREE);
        return new Both<>(running.get(), running2.get());
    }

    /** Both at once, in whatever order they take. */
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

    /** Waits until neither is on its way. False where both are done. */
    private synchronized boolean awaitBothStill() throws InterruptedException {
        Instant deadline = Instant.now().plus(DEADLINE);
        while (first.state == State.RUNNING || second.state == State.RUNNING) {
            wait(1000);
            if (Instant.now().isAfter(deadline)) {
                throw new IllegalStateException("a request hangs: " + first.state + ", " + second.state);
            }
        }
        return first.state != State.DONE || second.state != State.DONE;
    }

    @Override
    public void close() throws IOException {
        first.close();
        second.close();
    }

    private final class Lane implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
        private final URI redis;
        private volatile State state = State.FREE;

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
                    Thread.startVirtualThread(() -> commands(client, upstream));
                    Thread.startVirtualThread(() -> answers(client, upstream));
                }
            } catch (IOException _) {
                // closed
            }
        }

        private void commands(Socket client, Socket upstream) {
            try (client;
                    upstream) {
                var in = new BufferedInputStream(client.getInputStream());
                while (true) {
                    byte[] command = readCommand(in);
                    awaitTurn();
                    upstream.getOutputStream().write(command);
                }
            } catch (IOException | InterruptedException _) {
                // the end of a connection
            }
        }

        private static void answers(Socket client, Socket upstream) {
            try (client;
                    upstream) {
                upstream.getInputStream().transferTo(client.getOutputStream());
            } catch (IOException _) {
                // the end of a connection
            }
        }

        private void awaitTurn() throws InterruptedException {
            synchronized (Interleaver.this) {
                if (state != State.FREE) {
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

    /** One command as clients send it: an array of bulk strings. */
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
