package dev.latchkey.testing;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import redis.embedded.RedisExecProvider;

/**
 * A redis-server process on loopback. Used by tests, {@link DevMain}, {@link TrainingRun} and {@link Chaos}. {@link
 * #close} deletes its data.
 */
public final class EmbeddedRedis implements AutoCloseable {
    private static final String LOOPBACK = "127.0.0.1";
    private static @Nullable File executable;

    private final int port;
    private final Path folder;
    private final List<String> command;
    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
    private Process process;

    private EmbeddedRedis(int port, boolean sentinel, Map<String, String> settings) throws IOException {
        this.port = port;
        folder = Files.createTempDirectory("redis");
        var merged =
                new LinkedHashMap<>(Map.of("port", Integer.toString(port), "bind", LOOPBACK, "dir", folder.toString()));
        merged.putAll(settings);
        List<String> lines = new ArrayList<>();
        merged.forEach((name, value) -> lines.add(name + " " + (value.isEmpty() ? "\"\"" : value)));
        // Settings are in a file because a sentinel rewrites its configuration, and so that the process list shows no
        // password.
        Path file = Files.write(folder.resolve("redis.conf"), lines);
        command = new ArrayList<>(List.of(executable(), file.toString()));
        if (sentinel) {
            command.add("--sentinel");
        }
        process = launch();
    }

    private static synchronized String executable() throws IOException {
        if (executable == null) {
            executable = RedisExecProvider.defaultProvider().get();
        }
        return executable.getPath();
    }

    public static EmbeddedRedis start() throws IOException {
        return start(Map.of());
    }

    /** @param settings directives of redis.conf */
    public static EmbeddedRedis start(Map<String, String> settings) throws IOException {
        return startOn(freePort(), settings);
    }

    public static EmbeddedRedis startOn(int port) throws IOException {
        return startOn(port, Map.of());
    }

    public static EmbeddedRedis startOn(int port, Map<String, String> settings) throws IOException {
        return new EmbeddedRedis(port, false, settings);
    }

    public static EmbeddedRedis startSentinel(Map<String, String> settings) throws IOException {
        return new EmbeddedRedis(freePort(), true, settings);
    }

    public static int freePort() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** Starts the process and waits until it accepts connections. */
    private Process launch() throws IOException {
        var started = new ProcessBuilder(command).redirectErrorStream(true).start();
        Runtime.getRuntime().addShutdownHook(new Thread(started::destroyForcibly));
        var ready = new CountDownLatch(1);
        // A virtual thread would occupy a carrier.
        Thread.ofPlatform().daemon().start(() -> {
            try (var lines = started.inputReader()) {
                lines.lines().forEach(line -> {
                    log.add(line);
                    if (line.contains("Ready to accept connections") || line.contains("Sentinel ID is")) {
                        ready.countDown();
                    }
                });
            } catch (IOException | UncheckedIOException _) {
                // The process was killed.
            }
        });
        try {
            if (!ready.await(30, TimeUnit.SECONDS)) {
                throw new IOException("redis-server did not start within 30 s: " + log);
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        return started;
    }

    public int port() {
        return port;
    }

    public String url() {
        return "redis://localhost:" + port;
    }

    /** Sends a command in one line, as an operator would type it, and returns the reply as it arrives. */
    public String send(String line) {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Kills the process with SIGKILL, and waits until it has ended. */
    public void kill() {
        process.destroyForcibly();
        process.onExit().join();
    }

    /** Restarts the process on the same port, with the data that it has saved to disk. */
    public void restart() throws IOException {
        kill();
        process = launch();
    }

    /**
     * Sends a signal to the process.
     *
     * @param name STOP to make it hang, or CONT to let it continue
     */
    public void signal(String name) throws IOException {
        new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                .start()
                .onExit()
                .join();
    }

    @Override
    public void close() throws IOException {
        kill();
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        }
    }
}
