package dev.latchkey.testing;

import dev.latchkey.testing.Interleaver.Command;
import dev.latchkey.testing.Interleaver.Fault;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The proxy between Redis and one instance of the service. While a request is controlled, it holds each command until
 * {@link #pass} decides what happens to it.
 */
final class Lane implements AutoCloseable {
    private final ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
    private final URI redis;
    private final Object monitor;
    private boolean controlled;
    private boolean running;
    private final Queue<Runnable> cleanUps = new ConcurrentLinkedQueue<>();
    private @Nullable Command held;
    private Fault decision = Fault.NONE;

    /** @param monitor of all lanes: notified of each change */
    Lane(String redisUrl, Object monitor) throws IOException {
        redis = URI.create(redisUrl);
        this.monitor = monitor;
        Thread.startVirtualThread(this::accept);
    }

    String url() {
        return "redis://localhost:" + server.getLocalPort();
    }

    /** Sends a request, whose commands are held from now on. */
    <T> FutureTask<T> start(Callable<T> request) {
        synchronized (monitor) {
            controlled = true;
            decision = Fault.NONE;
            running = true;
        }
        cleanUps.clear();
        var task = new FutureTask<>(request);
        Thread.startVirtualThread(() -> {
            task.run();
            Stream.generate(cleanUps::poll).takeWhile(Objects::nonNull).forEach(Runnable::run);
            synchronized (monitor) {
                running = false;
                monitor.notifyAll();
            }
        });
        return task;
    }

    /**
     * Returns an executor whose tasks are run after the response, one after the other, as a part of the request. At the
     * same time as the request, the order of their commands would be left to chance.
     */
    Executor cleanUps() {
        return cleanUps::add;
    }

    /** Reports whether the request may still send a command by itself. Requires the monitor, as the next methods do. */
    boolean isRunning() {
        return running && held == null;
    }

    /** Returns the command that is held, or null if the request has ended. */
    @Nullable
    Command held() {
        return held;
    }

    /** Lets go of the command that is held. */
    void pass(Fault fault) {
        decision = fault;
        held = null;
        monitor.notifyAll();
    }

    /** Lets all commands pass, until the next request starts. */
    void release() {
        controlled = false;
        pass(Fault.NONE);
    }

    private Fault awaitDecision(Command command) throws InterruptedException {
        synchronized (monitor) {
            if (!controlled || command.name().equals("HELLO")) { // the handshake of a new connection
                return Fault.NONE;
            }
            if (decision != Fault.GONE) {
                held = command;
                monitor.notifyAll();
                while (held != null) {
                    monitor.wait();
                }
            }
            return decision;
        }
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                Socket upstream = new Socket(redis.getHost(), redis.getPort());
                client.setTcpNoDelay(true);
                upstream.setTcpNoDelay(true);
                Thread.startVirtualThread(() -> forward(client, upstream));
            }
        } catch (IOException _) {
            // The lane was closed.
        }
    }

    private void forward(Socket client, Socket upstream) {
        try (client;
                upstream) {
            var commands = new BufferedInputStream(client.getInputStream());
            var replies = new BufferedInputStream(upstream.getInputStream());
            while (true) {
                byte[] bytes = RedisProtocol.read(commands);
                var command = Command.of(bytes);
                Fault fault = awaitDecision(command);
                if (fault == Fault.NOT_SENT) {
                    return;
                }
                byte[] reply = command.error().getBytes(StandardCharsets.US_ASCII);
                if (fault.isExecuted()) {
                    upstream.getOutputStream().write(bytes);
                    reply = RedisProtocol.read(replies);
                }
                if (fault == Fault.REPLY_LOST) {
                    return;
                }
                client.getOutputStream().write(reply);
            }
        } catch (IOException | InterruptedException _) {
            // The connection was closed.
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
