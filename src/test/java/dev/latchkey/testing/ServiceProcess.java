package dev.latchkey.testing;

import static java.lang.ProcessBuilder.Redirect.DISCARD;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/** The service as a separate process with the files that are shipped, a client for it, and the lines that it prints. */
public final class ServiceProcess extends TestClient {
    private static final Path JAR;
    private static final String ARCHIVE;

    // Archives the classes of a command, which fails at once. With the archive, a start takes 40 % less CPU time.
    static {
        try {
            JAR = Files.createTempFile(Path.of("target").toAbsolutePath(), "service", ".jar");
            ARCHIVE = JAR + ".jsa";
            JAR.toFile().deleteOnExit();
            new File(ARCHIVE).deleteOnExit();
            // The JVM archives no classes of a folder.
            String[] arguments = {"--create", "--file", JAR.toString(), "-C", "target/classes", "."};
            assertEquals(0, ToolProvider.findFirst("jar").orElseThrow().run(System.out, System.err, arguments));
            var command = builder(List.of("user", "list"), "REDIS_URL", "redis://127.0.0.1:1");
            command.command().set(1, "-XX:ArchiveClassesAtExit=" + ARCHIVE);
            command.redirectErrorStream(true).redirectOutput(DISCARD);
            assertEquals(1, command.start().waitFor());
        } catch (IOException | InterruptedException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Process process;
    private final Queue<String> lines = new ConcurrentLinkedQueue<>();
    private final Thread reader;

    private ServiceProcess(int port, Process process) {
        super(port);
        this.process = process;
        reader = Thread.ofPlatform()
                .daemon()
                .start(() -> process.inputReader(StandardCharsets.UTF_8).lines().forEach(lines::add));
    }

    /**
     * Starts {@code Main} with command-line arguments. It waits for a busy Redis, and its hashes have the lowest allowed cost.
     *
     * @param settings names and values of environment variables, alternating; no others are set
     */
    public static Process java(List<String> arguments, String... settings) throws IOException {
        return builder(arguments, settings).redirectErrorStream(true).start();
    }

    /** Returns what {@link #java} starts, but with separate standard output and standard error. */
    public static ProcessBuilder builder(List<String> arguments, String... settings) {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String libraries = Path.of("target/latchkey/lib").toAbsolutePath() + "/*"; // those that are shipped
        String classPath = JAR + File.pathSeparator + libraries;
        var builder =
                new ProcessBuilder(java, "-XX:SharedArchiveFile=" + ARCHIVE, "-cp", classPath, "dev.latchkey.Main");
        builder.command().addAll(arguments);
        builder.environment().clear();
        builder.environment().putAll(Map.of("REDIS_TIMEOUT_MS", "10000", "PBKDF2_ITERATIONS", "100000"));
        for (int i = 0; i < settings.length; i += 2) {
            builder.environment().put(settings[i], settings[i + 1]);
        }
        return builder;
    }

    /**
     * Starts the service on a free port, and waits until it is ready.
     *
     * @param settings names and values of environment variables, alternating
     */
    public static ServiceProcess start(String redisUrl, String... settings) throws IOException {
        var service = launch(redisUrl, settings);
        service.awaitReady(200);
        return service;
    }

    /** Does the same as {@link #start}, but does not wait until the service is ready. */
    public static ServiceProcess launch(String redisUrl, String... settings) throws IOException {
        return launchOn(EmbeddedRedis.freePort(), redisUrl, settings);
    }

    /** Does the same as {@link #launch}, on the given port. */
    public static ServiceProcess launchOn(int port, String redisUrl, String... settings) throws IOException {
        return launchOn(port, List.of(), redisUrl, settings);
    }

    /** Does the same as {@link #launch}, with the given working directory. */
    public static ServiceProcess launchIn(Path folder, String redisUrl, String... settings) throws IOException {
        return launchAfter(List.of("bash"), "cd '" + folder + "'", redisUrl, settings);
    }

    /** Does the same as {@link #start}, in a process that may open at most {@code openFiles} files. */
    public static ServiceProcess startWithOpenFiles(int openFiles, String redisUrl, String... settings)
            throws IOException {
        var service = launchAfter(List.of("bash"), "ulimit -n " + openFiles, redisUrl, settings);
        service.awaitReady(200);
        return service;
    }

    /** Does the same as {@link #launch}, after a shell has run a command. */
    public static ServiceProcess launchAfter(List<String> shell, String command, String redisUrl, String... settings)
            throws IOException {
        List<String> prefix = new ArrayList<>(shell);
        prefix.addAll(List.of("-c", command + " && exec \"$0\" \"$@\""));
        return launchOn(EmbeddedRedis.freePort(), prefix, redisUrl, settings);
    }

    private static ServiceProcess launchOn(int port, List<String> prefix, String redisUrl, String... settings)
            throws IOException {
        String[] defaults = {
            "PORT", Integer.toString(port), "HOST", "127.0.0.1", "REDIS_URL", redisUrl,
        };
        String[] all = Stream.of(defaults, settings).flatMap(Stream::of).toArray(String[]::new);
        var builder = builder(List.of(), all).redirectErrorStream(true);
        builder.command().addAll(0, prefix);
        return new ServiceProcess(port, builder.start());
    }

    /** Waits until {@code /health/ready} returns the status code. */
    public void awaitReady(int status) {
        Load.await(() -> !process.isAlive() || responds("/health/ready", status));
        assertTrue(process.isAlive(), lines::toString);
    }

    /** Returns the lines printed so far that contain the text. */
    public List<String> printed(String text) {
        return lines.stream().filter(line -> line.contains(text)).toList();
    }

    /** Stops the service gracefully, and returns all lines that it has printed. */
    public List<String> stop() throws InterruptedException {
        terminate();
        return awaitExit(0);
    }

    /** Sends SIGTERM without waiting for the process to end. */
    public void terminate() {
        process.toHandle().destroy(); // Process.destroy() would close the output stream
    }

    /** Waits until the process has ended with the exit code, and returns all lines that it has printed. */
    public List<String> awaitExit(int code) throws InterruptedException {
        assertTrue(process.waitFor(30, TimeUnit.SECONDS));
        reader.join();
        assertEquals(code, process.exitValue(), lines::toString);
        return List.copyOf(lines);
    }

    @Override
    public void close() {
        super.close();
        process.destroyForcibly();
    }
}
