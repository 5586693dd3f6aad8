package dev.latchkey.logging;

import static java.lang.System.Logger.Level.WARNING;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Semaphore;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * Writes one line per log record, for everything in the process that logs. The project's own loggers, {@code
 * latchkey.…}, take names and values as parameters: {@code log(INFO, "refreshed", "username", "alice")}.
 *
 * <p>One thread formats the lines of the {@link AccessLog}, and writes all lines in batches. Requests wait neither for
 * that nor for a slow reader of the access log. All other lines are formatted by the thread that logs, and are never
 * dropped. They are written immediately from level WARNING on.
 */
public final class Logs extends Handler {
    static final String OWN = "latchkey";
    private static final int BATCH_MILLIS =
            2; // longer batches cost more, because the lines survive garbage collections
    private static final int BUFFER_BYTES = 1 << 16;

    private final PrintStream out;
    private final LineFormat lines = new LineFormat();
    private final Semaphore work = new Semaphore(0); // has a permit if something was logged since the last batch
    private final AccessLog accessLog = new AccessLog(this::wakeWriter);
    private final Object batchLock = new Object(); // keeps the lines of the access log in order
    private final StringBuilder batch = new StringBuilder();
    private long reportedDropped;
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
        Thread.ofPlatform().daemon().name("log-writer").start(logs::write);
        return logs;
    }

    /** @param level of the project's own lines; libraries log from INFO on, because below that they print tokens */
    public void configure(Format format, System.Logger.Level level) {
        this.format = format;
        Level own = Level.parse(Integer.toString(level.getSeverity()));
        this.own.setLevel(own);
        Logger.getLogger("").setLevel(own.intValue() < Level.INFO.intValue() ? Level.INFO : own);
    }

    /** Returns the access log, whose lines this object writes. */
    public AccessLog accessLog() {
        return accessLog;
    }

    @Override
    public void publish(LogRecord entry) {
        var line = new StringBuilder();
        lines.append(line, format, entry);
        print(line);
        if (entry.getLevel().intValue() >= Level.WARNING.intValue()) {
            out.flush();
        }
        wakeWriter();
    }

    private void print(CharSequence text) {
        out.writeBytes(text.toString().getBytes(StandardCharsets.UTF_8));
    }

    private void printBatch() {
        print(batch);
        batch.setLength(0);
    }

    private void wakeWriter() {
        if (work.availablePermits() == 0) { // otherwise it is about to start a batch
            work.release();
        }
    }

    private void write() {
        try {
            while (true) {
                work.acquire();
                Thread.sleep(BATCH_MILLIS);
                work.drainPermits();
                flush();
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /** Writes all lines that were logged before. */
    @Override
    public void flush() {
        synchronized (batchLock) {
            for (int i = accessLog.size(); i > 0; i--) {
                AccessLog.Line line = accessLog.remove();
                lines.append(
                        batch, format, line.epochMillis(), line.level(), AccessLog.NAME, "request", line.pairs(), null);
                if (batch.length() > BUFFER_BYTES) {
                    printBatch();
                }
            }
            printBatch();
            long dropped = accessLog.dropped() - reportedDropped;
            if (dropped > 0) {
                reportedDropped += dropped;
                System.getLogger("latchkey.logging").log(WARNING, "dropped lines of the access log", "lines", dropped);
            }
            out.flush();
        }
    }

    @Override
    public void close() {
        flush();
    }
}
