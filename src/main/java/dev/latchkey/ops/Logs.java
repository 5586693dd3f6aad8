package dev.latchkey.ops;

import dev.latchkey.http.Json;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One line a record on standard output, of everything in the process that logs. The project's own loggers, {@code
 * latchkey.…}, take names and values as parameters: {@code log(INFO, "refreshed", "username", "alice")}.
 *
 * <p>Lines are written in batches, every {@value #FLUSH_MILLIS} ms and at once from WARNING on: a system call for each access
 * log line would cost more than the token check.
 */
public final class Logs extends Handler {
    private static final String OWN = "latchkey";
    private static final int FLUSH_MILLIS = 100;
    private static final int BUFFER_BYTES = 1 << 16;
    private static final DateTimeFormatter TIME =
            new DateTimeFormatterBuilder().appendInstant(3).toFormatter();
    // Controls, line separators, and what turns the direction of writing: a client must neither begin a line of its own
    // nor drive a terminal, nor make a line look like another.
    private static final Pattern UNSAFE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

    private final PrintStream out = new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), BUFFER_BYTES),
            false,
            StandardCharsets.UTF_8);
    private final SimpleFormatter formatter = new SimpleFormatter();
    private final Logger own = Logger.getLogger(OWN); // held: the JDK forgets the level of a logger that nobody holds
    private volatile Format format = Format.TEXT;

    /** {@code TEXT}: time, level, logger, message, {@code name=value …}. {@code JSON}: one object a line, with the same. */
    public enum Format {
        TEXT,
        JSON
    }

    /** Else the JDK's own shutdown hook would drop the log lines of the requests that are being finished. */
    public static final class Manager extends LogManager {
        @Override
        public void reset() {}
    }

    private Logs() {}

    /** Call it before anything logs. */
    public static Logs install() {
        System.setProperty("java.util.logging.manager", Manager.class.getName());
        Logger root = Logger.getLogger("");
        for (Handler other : root.getHandlers()) {
            root.removeHandler(other);
        }
        var logs = new Logs();
        root.addHandler(logs);
        Thread.ofPlatform().daemon().name("log-flush").start(logs::flushForever);
        return logs;
    }

    /** @param level from which on lines are written; libraries' from INFO on at most: below, they print commands, tokens too */
    public void configure(Format format, System.Logger.Level level) {
        this.format = format;
        Level own = Level.parse(Integer.toString(level.getSeverity()));
        this.own.setLevel(own);
        Logger.getLogger("").setLevel(own.intValue() < Level.INFO.intValue() ? Level.INFO : own);
    }

    @Override
    public void publish(LogRecord entry) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("time", TIME.format(entry.getInstant()));
        line.put("level", level(entry.getLevel().intValue()));
        String logger = String.valueOf(entry.getLoggerName());
        boolean pairs = logger.startsWith(OWN);
        line.put("logger", logger);
        line.put("message", safe(pairs ? entry.getMessage() : formatter.formatMessage(entry)));
        Object[] parameters = entry.getParameters();
        for (int i = 0; pairs && parameters != null && i + 1 < parameters.length; i += 2) {
            line.put(
                    String.valueOf(parameters[i]), parameters[i + 1] instanceof Number n ? n : safe(parameters[i + 1]));
        }
        String trace = entry.getThrown() == null ? "" : stackTrace(entry.getThrown());
        if (format == Format.JSON && !trace.isEmpty()) {
            line.put("stackTrace", trace);
        }
        out.println(format == Format.JSON ? Json.text(line) : text(line) + trace);
        if (entry.getLevel().intValue() >= Level.WARNING.intValue()) {
            flush();
        }
    }

    private static String level(int level) {
        System.Logger.Level name = System.Logger.Level.TRACE;
        for (var each : System.Logger.Level.values()) {
            name = each.getSeverity() <= level ? each : name;
        }
        return name.toString();
    }

    private static String text(Map<String, Object> line) {
        var text = new StringBuilder(200);
        int head = 4;
        for (var entry : line.entrySet()) {
            if (head-- > 0) {
                text.append(text.isEmpty() ? "" : " ").append(entry.getValue());
            } else {
                String value = entry.getValue().toString();
                text.append(' ').append(entry.getKey()).append('=').append(isPlain(value) ? value : Json.text(value));
            }
        }
        return text.toString();
    }

    /** Whether a value cannot be taken for two, nor for none. */
    private static boolean isPlain(String value) {
        return !value.isEmpty() && value.chars().allMatch(c -> c > ' ' && c < 0x7f && c != '"' && c != '=');
    }

    private static String safe(@Nullable Object value) {
        String text = value == null ? "" : value.toString();
        return isPlain(text) ? text : UNSAFE.matcher(text).replaceAll("?");
    }

    // each line indented: an exception's message has line breaks of its own, which may be a client's
    private static String stackTrace(Throwable thrown) {
        var text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString()
                .lines()
                .map(line -> "\n  " + safe(line.replace("\t", "  ")))
                .collect(Collectors.joining());
    }

    private void flushForever() {
        try {
            while (true) {
                Thread.sleep(FLUSH_MILLIS);
                flush();
            }
        } catch (InterruptedException _) {
            flush();
        }
    }

    @Override
    public void flush() {
        out.flush();
    }

    @Override
    public void close() {
        flush();
    }
}
