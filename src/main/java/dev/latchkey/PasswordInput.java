package dev.latchkey;

import java.io.ByteArrayOutputStream;
import java.io.Console;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;

/** Reads a new password from standard input: from a terminal without echo, and otherwise the first line. */
final class PasswordInput {
    private static final int MAX_BYTES = 4096; // more than any password that the policy accepts

    private PasswordInput() {}

    /** @throws IllegalArgumentException if the input is not a password; the message starts with a verb */
    static String read() throws IOException {
        Optional<Console> terminal = Optional.ofNullable(System.console()).filter(Console::isTerminal);
        return terminal.isPresent() ? ask(terminal.get()) : firstLine(System.in);
    }

    private static String ask(Console terminal) {
        char[] password = terminal.readPassword("New password: "); // null at the end of the input
        if (password == null || !Arrays.equals(password, terminal.readPassword("New password again: "))) {
            throw new IllegalArgumentException("was not the same both times");
        }
        return new String(password);
    }

    /** Returns the line without its end, LF or CR LF. Nothing else is trimmed. */
    private static String firstLine(InputStream in) throws IOException {
        var line = new ByteArrayOutputStream();
        int next = in.read();
        while (next >= 0 && next != '\n') {
            if (line.size() == MAX_BYTES) {
                throw new IllegalArgumentException("must have at most " + MAX_BYTES + " bytes");
            }
            line.write(next);
            next = in.read();
        }
        try {
            // By default, a decoder replaces what is not UTF-8, so that two passwords would become one.
            var bytes = ByteBuffer.wrap(line.toByteArray());
            String text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
            return next == '\n' && text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
        } catch (CharacterCodingException _) {
            throw new IllegalArgumentException("must be valid UTF-8");
        }
    }
}
