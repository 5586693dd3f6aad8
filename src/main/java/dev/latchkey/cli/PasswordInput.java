package dev.latchkey.cli;

import java.io.Console;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/** Reads a new password from standard input: from a terminal without echo, and otherwise the first line. */
final class PasswordInput {
    private static final int MAX_LENGTH = 4096; // longer than the policy accepts, which refuses what is cut

    private PasswordInput() {}

    /** @throws IllegalArgumentException if the input is not a password; the message starts with a verb */
    static String read() throws IOException {
        Optional<Console> terminal = Optional.ofNullable(System.console()).filter(Console::isTerminal);
        if (terminal.isEmpty()) {
            if (isTypedWithEcho()) {
                throw new IllegalArgumentException(
                        "can only be typed if standard output is the terminal too. Pipe it in,"
                                + " or do not redirect the output");
            }
            return firstLine();
        }
        char[] password = terminal.get().readPassword("New password: "); // null at the end of the input
        if (password == null || !Arrays.equals(password, terminal.get().readPassword("New password again: "))) {
            throw new IllegalArgumentException("was not the same both times");
        }
        return new String(password);
    }

    // The JDK has no console if standard output is redirected, although standard input is a terminal (JDK-8354469).
    private static boolean isTypedWithEcho() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/0")).startsWith("/dev/pts")
                    || Files.isSameFile(Path.of("/proc/self/fd/0"), Path.of("/dev/tty"));
        } catch (IOException _) {
            return false; // not Linux, or there is no terminal
        }
    }

    // Returns the line without a byte order mark before it and without its end, LF or CR LF. Nothing else is trimmed.
    private static String firstLine() throws IOException {
        // By default, a decoder replaces what is not UTF-8, so that two passwords would become one.
        var in = new InputStreamReader(System.in, StandardCharsets.UTF_8.newDecoder());
        var line = new StringBuilder();
        try {
            int next = in.read();
            while (next >= 0 && next != '\n' && line.length() < MAX_LENGTH) {
                line.append((char) next);
                next = in.read();
            }
            String text = line.toString().replaceFirst("^\uFEFF", "");
            return next == '\n' ? text.replaceFirst("\r\\z", "") : text;
        } catch (CharacterCodingException _) {
            throw new IllegalArgumentException("must be valid UTF-8");
        }
    }
}
