package dev.latchkey.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The service as a process of its own, as it is shipped, and all that it prints. */
public final class ServiceProcess extends TestClient {
    private final Process process;
    private final List<String> lines = new CopyOnWriteArrayList<>();
    private final Thread reader;

    private ServiceProcess(int port, Process process) {
        super(port);
        this.process = process;
        reader = Thread.startVirtualThread(
                () -> process.inputReader(StandardCharsets.UTF_8).lines().forEach(lines::add));
    }

    /** @param settings variable, value, … of an otherwise empty environment */
    public static Process java(List<String> arguments, String... settings) throws IOException {
        return java(List.of(), arguments, settings);
    }

    private static Process java(List<String> prefix, List<String> arguments, String... settings) throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                "target/classes" + File.pathSeparator + "target/latchkey/lib/*", // what is shipped
                "dev.latchkey.Main"));
        command.addAll(arguments);
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().clear();
        for (int i = 0; i < settings.length; i += 2) {
            builder.environment().put(settings[i], settings[i + 1]);
        }
        return builder.start();
    }

    /** On a free port, ready, with the cheapest hashes that are allowed. */
    public static ServiceProcess start(String redisUrl, String... settings) throws IOException, InterruptedException {
        var service = launch(redisUrl, settings);
        service.awaitReady(200);
        return service;
    }

    /** The same, as soon as its process runs. */
    public static ServiceProcess launch(String redisUrl, String... settings) throws IOException {
        return launchOn(EmbeddedRedis.freePort(), redisUrl, settings);
    }

    public static ServiceProcess launchOn(int port, String redisUrl, String... settings) throws IOException {
        return launchOn(port, List.of(), redisUrl, settings);
    }

    /** As {@link #start}, in a process that may have so many files open. */
    public static ServiceProcess startWithOpenFiles(int openFiles, String redisUrl, String... settings)
            throws Exception {
        List<String> prefix = List.of("bash", "-c", "ulimit -n " + openFiles + " && exec \"$0\" \"$@\"");
        var service = launchOn(EmbeddedRedis.freePort(), prefix, redisUrl, settings);
        service.awaitReady(200);
        return service;
    }

    private static ServiceProcess launchOn(int port, List<String> prefix, String redisUrl, String... settings)
            throws IOException {
        String[] own = {
            "PORT",
            Integer.toString(port),
            "HOST",
            "127.0.0.1",
            "REDIS_URL",
            redisUrl,
            "REDIS_TIMEOUT_MS",
            "10000",
            "PBKDF2_ITERATIONS",
            "100000"
        };
        String[] all = Stream.of(own, settings).flatMap(Stream::of).toArray(String[]::new);
        return new ServiceProcess(port, java(prefix, List.of(), all));
    }

    /** What {@code /health/ready} says, as soon as it is answered with that status. */
    public String awaitReady(int status) throws InterruptedException {
        var deadline = Instant.now().plusSeconds(30);
        while (Instant.now().isBefore(deadline)) {
            try {
                Answer answer = send("GET", "/health/ready", "");
                if (answer.status() == status) {
                    return answer.text();
                }
            } catch (IllegalStateException _) {
                // it does not listen yet
            }
            assertTrue(process.isAlive(), lines::toString);
            Thread.sleep(20);
        }
        throw new AssertionError("readiness does not become " + status);
    }

    /** The lines so far that have this in them. */
    public List<String> printed(String text) {
        return lines.stream().filter(line -> line.contains(text)).toList();
    }

    /** Stops it, in order; the lines that it has printed. */
    public List<String> stop() throws InterruptedException {
        terminate();
        return awaitExit(0);
    }

    /** Sends SIGTERM, and does not wait. */
    public void terminate() {
        process.toHandle().destroy(); // the process's own destroy() would close the stream
    }

    public List<String> awaitExit(int code) throws InterruptedException {
        assertTrue(process.waitFor(30, TimeUnit.SECONDS));
        reader.join();
        assertEquals(code, process.exitValue(), lines::toString);
        return lines;
    }

    @Override
    public void close() {
        super.close();
        process.destroyForcibly();
    }
}
