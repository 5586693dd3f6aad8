package dev.latchkey;

import dev.latchkey.logging.LineFormat;
import java.io.BufferedWriter;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The result of a command on standard output. All methods throw {@link UncheckedIOException} if writing fails. */
final class CommandOutput implements AutoCloseable {
    private final Writer out = new BufferedWriter(
            new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8));

    /** Writes a line of columns, separated by tabs. */
    void row(String... columns) {
        // Clients choose some of the values, which must not control the terminal or look like further columns.
        line(String.join("\t", Arrays.stream(columns).map(LineFormat::safe).toList()));
    }

    void line(String text) {
        try {
            out.write(text + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String time(@Nullable Instant date) {
        return date == null ? "-" : LineFormat.TIME.format(date);
    }

    @Override
    public void close() {
        try {
            out.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
