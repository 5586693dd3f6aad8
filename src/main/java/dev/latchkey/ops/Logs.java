package dev.latchkey.ops;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.time.temporal.ChronoUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * One line a record on standard output, of everything in the process that logs. Lines are written in batches, every
 * {@value #FLUSH_MILLIS} ms and at once from WARNING on: a system call for each access log line would cost more than the
 * token check.
 */
public final class Logs extends Handler {
    private static final int FLUSH_MILLIS = 100;
    private static final int BUFFER_BYTES = 1 << 16;

    private final PrintStream out = new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), BUFFER_BYTES),
            false,
            StandardCharsets.UTF_8);

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

    @Override
    public void publish(LogRecord entry) {
        out.println(line(entry));
        if (entry.getLevel().intValue() >= Level.WARNING.intValue()) {
            flush();
        }
    }

    private static String line(LogRecord entry) {
        String name = entry.getLoggerName() == null ? "" : entry.getLoggerName();
        String line = entry.getInstant().truncatedTo(ChronoUnit.MILLIS) + " " + entry.getLevel() + " "
                + name.substring(name.lastIndexOf('.') + 1) + " " + oneLine(String.valueOf(entry.getMessage()));
        return entry.getThrown() == null ? line : line + System.lineSeparator() + stackTrace(entry.getThrown());
    }

    // a control character that a client smuggled in must not begin a line of its own, nor drive a terminal
    private static String oneLine(String text) {
        return text.codePoints().anyMatch(Character::isISOControl) ? text.replaceAll("\\p{Cntrl}", "?") : text;
    }

    private static String stackTrace(Throwable thrown) {
        var text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString().stripTrailing();
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
