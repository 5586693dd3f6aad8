package dev.latchkey.logging;

import dev.latchkey.json.Json;
import dev.latchkey.logging.Logs.Format;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The format of log lines. */
public final class LineFormat {
    /** Dates as in JSON: UTC, with three decimals. */
    public static final DateTimeFormatter TIME =
            new DateTimeFormatterBuilder().appendInstant(3).toFormatter();

    private static final int MAX_VALUE_LENGTH = 256;
    // Control characters, line separators, and characters that change the direction of text. A client must not be
    // able to inject a line, control a terminal, or disguise a line.
    private static final Pattern UNSAFE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

    private record FormattedTime(long epochMillis, String text) {}

    private final SimpleFormatter formatter = new SimpleFormatter();
    private volatile FormattedTime lastTime = new FormattedTime(-1, ""); // under load, many lines have the same time

    LineFormat() {}

    /** Appends the line of a log record, and a line break. */
    void append(StringBuilder to, Format format, LogRecord entry) {
        boolean isOwn = entry.getLoggerName() != null && entry.getLoggerName().startsWith(Logs.OWN);
        String message = isOwn ? entry.getMessage() : formatter.formatMessage(entry);
        Object[] pairs = isOwn && entry.getParameters() != null ? entry.getParameters() : new Object[0];
        Throwable thrown = entry.getThrown();
        append(to, format, entry.getMillis(), entry.getLevel(), entry.getLoggerName(), message, pairs, thrown);
    }

    /**
     * Appends a line, and a line break.
     *
     * @param pairs names and values, alternating
     */
    void append(
            StringBuilder to,
            Format format,
            long epochMillis,
            Level level,
            String logger,
            String message,
            Object[] pairs,
            @Nullable Throwable thrown) {
        if (format == Format.JSON) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("time", time(epochMillis));
            line.put("level", name(level));
            line.put("logger", logger);
            line.put("message", safe(message));
            for (int i = 0; i < pairs.length; i += 2) {
                line.put(pairs[i].toString(), pairs[i + 1] instanceof Number n ? n : safe(cut(pairs[i + 1])));
            }
            if (thrown != null) {
                line.put("stackTrace", stackTrace(thrown));
            }
            to.append(Json.text(line));
        } else {
            to.append(time(epochMillis)).append(' ').append(name(level));
            to.append(' ').append(logger).append(' ').append(safe(message));
            for (int i = 0; i < pairs.length; i += 2) {
                to.append(' ').append(pairs[i]).append('=');
                String value = cut(pairs[i + 1]);
                to.append(isPlain(value) ? value : Json.text(safe(value)));
            }
            to.append(thrown == null ? "" : stackTrace(thrown));
        }
        to.append('\n');
    }

    private String time(long epochMillis) {
        FormattedTime time = lastTime;
        if (time.epochMillis() != epochMillis) {
            time = new FormattedTime(epochMillis, TIME.format(Instant.ofEpochMilli(epochMillis)));
            lastTime = time;
        }
        return time.text();
    }

    private static String name(Level level) {
        int value = level.intValue();
        return value >= 1000
                ? "ERROR"
                : value >= 900 ? "WARNING" : value >= 800 ? "INFO" : value >= 500 ? "DEBUG" : "TRACE";
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

    /** Shortens a value. A client can make a path long, and a request must not cost kilobytes of log. */
    static String cut(@Nullable Object value) {
        String text = String.valueOf(value);
        return text.length() <= MAX_VALUE_LENGTH ? text : text.substring(0, MAX_VALUE_LENGTH) + "...";
    }

    // Indents each line, because an exception's message may contain line breaks that a client sent.
    private static String stackTrace(Throwable thrown) {
        var text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString()
                .lines()
                .map(line -> "\n  " + safe(line.replace("\t", "  ")))
                .collect(Collectors.joining());
    }
}
