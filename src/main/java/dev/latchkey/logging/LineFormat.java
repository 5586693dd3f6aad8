package dev.latchkey.logging;

import dev.latchkey.json.Json;
import dev.latchkey.logging.Logs.Format;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The format of log lines. Only one thread at a time may use an object of this class. */
public final class LineFormat {
    /** Dates, as in JSON. */
    public static final DateTimeFormatter TIME = Json.DATE;

    private static final SimpleFormatter FORMATTER = new SimpleFormatter();
    private static final int MAX_VALUE_LENGTH = 256;
    // Control characters, line separators, and characters that change the direction of text. A client must not be
    // able to inject a line, control a terminal, or disguise a line.
    private static final Pattern UNSAFE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

    /**
     * What a line says.
     *
     * @param pairs names and values, alternating
     * @param stackTrace empty if there is none
     */
    record Entry(long millis, Level level, String logger, String message, List<?> pairs, String stackTrace) {
        /** Parameters of the project's own loggers are pairs, and those of libraries are parts of the message. */
        static Entry of(LogRecord entry) {
            String logger = String.valueOf(entry.getLoggerName());
            Object[] parameters = entry.getParameters();
            boolean isOwn = logger.startsWith(Logs.OWN);
            String message = isOwn ? entry.getMessage() : FORMATTER.formatMessage(entry);
            List<?> pairs = isOwn && parameters != null ? Arrays.asList(parameters) : List.of();
            String trace = entry.getThrown() == null ? "" : LineFormat.stackTrace(entry.getThrown());
            return new Entry(entry.getMillis(), entry.getLevel(), logger, message, pairs, trace);
        }
    }

    private final Format format;
    private long lastMillis = -1;
    private String lastTime = ""; // under load, many lines have the same time

    LineFormat(Format format) {
        this.format = format;
    }

    /** Appends a line, and a line break. */
    void append(StringBuilder to, Entry entry) {
        List<?> pairs = entry.pairs();
        if (format == Format.JSON) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("time", time(entry.millis()));
            line.put("level", name(entry.level()));
            line.put("logger", entry.logger());
            line.put("message", safe(entry.message()));
            for (int i = 0; i < pairs.size(); i += 2) {
                Object value = pairs.get(i + 1);
                line.put(pairs.get(i).toString(), value instanceof Number ? value : safe(cut(value)));
            }
            if (!entry.stackTrace().isEmpty()) {
                line.put("stackTrace", entry.stackTrace());
            }
            to.append(Json.text(line));
        } else {
            to.append(time(entry.millis())).append(' ').append(name(entry.level()));
            to.append(' ').append(entry.logger()).append(' ').append(safe(entry.message()));
            for (int i = 0; i < pairs.size(); i += 2) {
                to.append(' ').append(pairs.get(i)).append('=');
                String value = cut(pairs.get(i + 1));
                to.append(isPlain(value) ? value : Json.text(safe(value)));
            }
            to.append(entry.stackTrace());
        }
        to.append('\n');
    }

    private String time(long epochMillis) {
        if (epochMillis != lastMillis) {
            lastMillis = epochMillis;
            lastTime = TIME.format(Instant.ofEpochMilli(epochMillis));
        }
        return lastTime;
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
