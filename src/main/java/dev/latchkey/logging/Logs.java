package dev.latchkey.logging;

import dev.latchkey.json.Json;
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
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
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
 * Writes one line per log record, for everything in the process that logs. The project's own loggers, {@code
 * latchkey.…}, take names and values as parameters: {@code log(INFO, "refreshed", "username", "alice")}.
 *
 * <p>Lines are written in batches every {@value #FLUSH_MILLIS} ms, and immediately from level WARNING on. One system
 * call per access log line would cost more than the token check.
 */
public final class Logs extends Handler {
    private static final String OWN = "latchkey";
    private static final int FLUSH_MILLIS = 100;
    private static final int BUFFER_BYTES = 1 << 16;
    private static final int MAX_VALUE_LENGTH = 256;
    /** Dates as in JSON: UTC, with three decimals. */
    public static final DateTimeFormatter TIME =
            new DateTimeFormatterBuilder().appendInstant(3).toFormatter();
    // Control characters, line separators, and characters that change the direction of text. A client must not be
    // able to inject a line, control a terminal, or disguise a line.
    private static final Pattern UNSAFE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

    private final PrintStream out;
    private final SimpleFormatter formatter = new SimpleFormatter();
    private final Logger own = Logger.getLogger(OWN); // the JDK forgets the level of an unreferenced logger
    private volatile Format format = Format.TEXT;

    /**
     * {@code TEXT}: time, level, logger, message, {@code name=value …}. {@code JSON}: one object per line with the
     * same.
     */
    public enum Format {
        TEXT,
        JSON
    }

    /** Prevents the JDK's own shutdown hook from dropping the log lines of requests that are being finished. */
    public static final class Manager extends LogManager {
        @Override
        public void reset() {}
    }

    private Logs(FileDescriptor target) {
        out = new PrintStream(new BufferedOutputStream(new FileOutputStream(target), BUFFER_BYTES));
    }

    /**
     * Installs the handler. Must be called before anything logs.
     *
     * @param target standard output for the service, and standard error for a command, whose output is something else
     */
    public static Logs install(FileDescriptor target) {
        System.setProperty("java.util.logging.manager", Manager.class.getName());
        Logger root = Logger.getLogger("");
        for (Handler other : root.getHandlers()) {
            root.removeHandler(other);
        }
        var logs = new Logs(target);
        root.addHandler(logs);
        var _ = Executors.newSingleThreadScheduledExecutor(
                        Thread.ofPlatform().daemon().name("log-flush").factory())
                .scheduleWithFixedDelay(logs::flush, FLUSH_MILLIS, FLUSH_MILLIS, TimeUnit.MILLISECONDS);
        return logs;
    }

    /** @param level of the project's own lines; libraries log from INFO on, because below that they print tokens */
    public void configure(Format format, System.Logger.Level level) {
        this.format = format;
        Level own = Level.parse(Integer.toString(level.getSeverity()));
        this.own.setLevel(own);
        Logger.getLogger("").setLevel(own.intValue() < Level.INFO.intValue() ? Level.INFO : own);
    }

    @Override
    public void publish(LogRecord entry) {
        String line = format == Format.JSON ? json(entry) : text(entry);
        out.writeBytes((line + "\n").getBytes(StandardCharsets.UTF_8));
        if (entry.getLevel().intValue() >= Level.WARNING.intValue()) {
            flush();
        }
    }

    private String text(LogRecord entry) {
        var line = new StringBuilder(200);
        TIME.formatTo(entry.getInstant(), line);
        line.append(' ').append(level(entry)).append(' ').append(entry.getLoggerName());
        line.append(' ').append(message(entry));
        Object[] pairs = pairs(entry);
        for (int i = 0; i < pairs.length; i += 2) {
            line.append(' ').append(pairs[i]).append('=');
            String value = cut(pairs[i + 1]);
            line.append(isPlain(value) ? value : Json.text(safe(value)));
        }
        return line.append(stackTrace(entry)).toString();
    }

    private String json(LogRecord entry) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("time", TIME.format(entry.getInstant()));
        line.put("level", level(entry));
        line.put("logger", entry.getLoggerName());
        line.put("message", message(entry));
        Object[] pairs = pairs(entry);
        for (int i = 0; i < pairs.length; i += 2) {
            line.put(pairs[i].toString(), pairs[i + 1] instanceof Number n ? n : safe(cut(pairs[i + 1])));
        }
        if (entry.getThrown() != null) {
            line.put("stackTrace", stackTrace(entry));
        }
        return Json.text(line);
    }

    private static String level(LogRecord entry) {
        int level = entry.getLevel().intValue();
        return level >= 1000
                ? "ERROR"
                : level >= 900 ? "WARNING" : level >= 800 ? "INFO" : level >= 500 ? "DEBUG" : "TRACE";
    }

    private String message(LogRecord entry) {
        return safe(isOwn(entry) ? entry.getMessage() : formatter.formatMessage(entry));
    }

    private static Object[] pairs(LogRecord entry) {
        return isOwn(entry) && entry.getParameters() != null ? entry.getParameters() : new Object[0];
    }

    private static boolean isOwn(LogRecord entry) {
        return entry.getLoggerName() != null && entry.getLoggerName().startsWith(OWN);
    }

    // Reports whether the value needs no quotes.
    private static boolean isPlain(String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c <= ' ' || c >= 0x7f || c == '"' || c == '=') {
                return false;
            }
        }
        return !value.isEmpty();
    }

    /** Returns the text with {@code ?} in place of each character that could control a terminal or disguise a line. */
    public static String safe(@Nullable String text) {
        return text == null ? "" : isPlain(text) ? text : UNSAFE.matcher(text).replaceAll("?");
    }

    // A client can make values such as the path long, and a request must not cost kilobytes of log.
    private static String cut(@Nullable Object value) {
        String text = String.valueOf(value);
        return text.length() <= MAX_VALUE_LENGTH ? text : text.substring(0, MAX_VALUE_LENGTH) + "...";
    }

    // Indents each line, because an exception's message may contain line breaks that a client sent.
    private static String stackTrace(LogRecord entry) {
        if (entry.getThrown() == null) {
            return "";
        }
        var text = new StringWriter();
        entry.getThrown().printStackTrace(new PrintWriter(text));
        return text.toString()
                .lines()
                .map(line -> "\n  " + safe(line.replace("\t", "  ")))
                .collect(Collectors.joining());
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
