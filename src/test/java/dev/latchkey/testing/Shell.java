package dev.latchkey.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A Bash process in which a test runs the commands of the documents. Variables keep their value from one block to the
 * next. The commands run in a folder of their own, with the JDK of the tests.
 */
public final class Shell implements AutoCloseable {
    private static final String END = "--- end of the block";

    private final Path folder;
    private final Process process;
    private final Writer input;
    private final BufferedReader output;
    private int blocks;

    public Shell(Path folder, Map<String, String> environment) throws IOException {
        this.folder = folder;
        Files.createDirectories(folder.resolve("bin"));
        var builder = new ProcessBuilder("bash").directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().clear();
        builder.environment()
                .put("PATH", folder.resolve("bin") + ":" + System.getProperty("java.home") + "/bin:" + path());
        builder.environment().putAll(environment);
        process = builder.start();
        input = process.outputWriter();
        output = process.inputReader();
    }

    /** Debian installs nginx and HAProxy in a folder that is not in the PATH of an ordinary user. */
    static String path() {
        return System.getenv("PATH") + ":/usr/sbin";
    }

    /** Returns the path of a program, without which the test is skipped. */
    public static String require(String program) {
        var found = Stream.of(path().split(File.pathSeparator, -1))
                .map(part -> Path.of(part, program))
                .filter(Files::isExecutable)
                .findFirst();
        assumeTrue(found.isPresent(), program + " is not installed");
        return found.orElseThrow().toString();
    }

    /** Puts a program into the path of the commands, where it takes the place of the installed one. */
    public void replace(String program, String script) throws IOException {
        Path file = Files.writeString(folder.resolve("bin").resolve(program), "#!/usr/bin/env bash\n" + script);
        if (!file.toFile().setExecutable(true)) {
            throw new IOException("cannot make " + file + " executable");
        }
    }

    /** Runs commands, and returns what they print. Throws an error if a command fails. */
    public String run(String commands) throws IOException {
        Path file = Files.writeString(folder.resolve("block-" + ++blocks + ".sh"), commands);
        // The commands must not read the input of this process.
        input.write("set -eo pipefail; source " + file + " </dev/null; echo; echo '" + END + "'\n");
        input.flush();
        List<String> printed = new ArrayList<>();
        for (String line = output.readLine(); !END.equals(line); line = output.readLine()) {
            if (line == null) {
                throw new AssertionError("a command failed:\n" + commands + String.join("\n", printed));
            }
            printed.add(line);
        }
        return String.join("\n", printed).strip();
    }

    @Override
    public void close() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }
}
