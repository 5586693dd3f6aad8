package dev.latchkey.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** A reverse proxy as a separate process. */
public final class ProxyProcess implements AutoCloseable {
    private final Process process;
    private final Path log;

    private ProxyProcess(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    /**
     * Starts a proxy without waiting until it listens. The calling test is skipped if the proxy is not installed.
     *
     * @param command for a shell, starting with the name of the executable file
     * @param folder the working directory, which contains the configuration
     */
    public static ProxyProcess launch(String command, Path folder) throws IOException {
        return launch(command, folder, Map.of());
    }

    /**
     * Does the same as {@link #launch(String, Path)}.
     *
     * @param environment variables of the process, in addition to those of this process
     */
    public static ProxyProcess launch(String command, Path folder, Map<String, String> environment) throws IOException {
        Shell.require(command.substring(0, command.indexOf(' ')));
        Path log = folder.resolve("proxy.log");
        var builder = new ProcessBuilder("sh", "-c", "exec " + command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().putAll(environment);
        builder.environment().putAll(Map.of("PATH", Shell.path(), "HOME", folder.toString()));
        Process process = builder.start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        return new ProxyProcess(process, log);
    }

    /** Waits until the condition is true. Fails with the log of the proxy if the process ends before that. */
    public void awaitReady(BooleanSupplier isReady) throws IOException {
        Load.await(() -> !process.isAlive() || isReady.getAsBoolean());
        assertTrue(process.isAlive(), log());
    }

    /** Returns everything that the process has printed. */
    public String log() throws IOException {
        return Files.readString(log);
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
    }
}
