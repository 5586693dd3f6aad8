package dev.latchkey.logging;

import dev.latchkey.logging.LineFormat.Entry;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Writes one line per log record, for everything in the process that logs. The project's own loggers, {@code
 * latchkey.…}, take names and values as parameters: {@code log(INFO, "refreshed", "username", "alice")}.
 *
 * <p>All lines wait in one bounded queue. One thread formats and writes them in batches, and only that thread waits for
 * standard output. If nothing reads the log, the queue is full after a while. Then a line of the audit log waits for
 * room, on the thread of its request, and any other line is dropped and counted. If every line could wait, a thread of
 * netty would not reconnect to Redis, and a stop would not end.
 */
public final class Logs extends Handler {
    static final String OWN = "latchkey";

    private static final int MAX_REQUESTS = 4096; // 1 MB with usual paths, 4 MB with the longest
    private static final int MAX_WAITING = MAX_REQUESTS + 1024; // many requests leave room for other lines
    private static final int BATCH_MILLIS = 2; // in longer batches, lines would survive garbage collections
    private static final int MAX_BATCH_LENGTH = 1 << 16;
    private static final int FLUSH_SECONDS = 2;
    private static final long REPORT_NANOS = Duration.ofSeconds(1).toNanos();

    private final PrintStream out;
    // Entries, and the latches of those who wait until all entries before are written.
    private final BlockingQueue<Object> waiting = new LinkedBlockingQueue<>(MAX_WAITING);
    private final LongAdder dropped = new LongAdder();
    private final Logger own = Logger.getLogger(OWN); // the JDK forgets the level of an unreferenced logger
    private final Logger audit = Logger.getLogger("latchkey.audit");
    private final Logger access = Logger.getLogger("latchkey.access");
    private volatile LineFormat lines = new LineFormat(Format.TEXT);
    // The following are the writer's.
    private final StringBuilder batch = new StringBuilder();
    private long reportedDropped;
    private long nextReportNanos = System.nanoTime();

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

    /** Creates a log that nothing uses before {@link #install}. */
    public Logs(FileDescriptor target) {
        out = new PrintStream(new FileOutputStream(target));
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

    /**
     * Sets the format and the level.
     *
     * @param level of the project's own lines, except those of the audit log, which are always logged. Libraries log
     *     from INFO on, because below that they print tokens.
     */
    public void configure(Format format, System.Logger.Level level) {
        lines = new LineFormat(format);
        Level ownLevel = Level.parse(Integer.toString(level.getSeverity()));
        own.setLevel(ownLevel);
        audit.setLevel(Level.INFO);
        Logger.getLogger("").setLevel(ownLevel.intValue() < Level.INFO.intValue() ? Level.INFO : ownLevel);
    }

    /** Returns how many lines have been dropped since the process started. */
    public long dropped() {
        return dropped.sum();
    }

    /**
     * Adds the line of a request to the access log, or drops it if too many lines wait.
     *
     * @param isProbe whether the line is only logged at level DEBUG
     * @param path null if the request target has none
     * @param status code of the response, or -1 if there is none
     * @param micros microseconds from the end of the request's headers until its response is sent
     * @param address of the client, as text only when the line is written
     */
    public void request(
            boolean isProbe,
            String method,
            @Nullable String path,
            int status,
            long micros,
            Object address,
            String requestId) {
        Level level = isProbe ? Level.FINE : Level.INFO;
        if (access.isLoggable(level)) {
            String cutMethod = LineFormat.cut(method); // a client can make either long, and it waits in memory
            String cutPath = LineFormat.cut(path);
            List<?> pairs = Arrays.asList(
                    "method",
                    cutMethod,
                    "path",
                    cutPath,
                    "status",
                    status,
                    "micros",
                    micros,
                    "address",
                    address,
                    "requestId",
                    requestId);
            var line = new Entry(System.currentTimeMillis(), level, access.getName(), "request", pairs, "");
            if (waiting.size() >= MAX_REQUESTS || !waiting.offer(line)) {
                dropped.increment();
            }
        }
    }

    @Override
    public void publish(LogRecord entry) {
        Entry line = Entry.of(entry);
        try {
            if (line.logger().equals(audit.getName())) {
                waiting.put(line);
            } else if (!waiting.offer(line)) {
                dropped.increment();
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            dropped.increment();
        }
    }

    /** Waits until all lines that were logged before are written, but at most 4 s, in case that nothing reads the log. */
    @Override
    public void flush() {
        var written = new CountDownLatch(1);
        try {
            if (waiting.offer(written, FLUSH_SECONDS, TimeUnit.SECONDS)) {
                var _ = written.await(FLUSH_SECONDS, TimeUnit.SECONDS);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        flush();
    }

    private void write() {
        try {
            while (true) {
                // Wakes up once a second, because dropped lines must be reported even if no further line comes.
                Object next = waiting.poll(REPORT_NANOS, TimeUnit.NANOSECONDS);
                Thread.sleep(BATCH_MILLIS);
                for (; next != null; next = waiting.poll()) {
                    if (next instanceof CountDownLatch written) {
                        nextReportNanos = System.nanoTime();
                        print();
                        written.countDown();
                    } else {
                        lines.append(batch, (Entry) next);
                    }
                    if (batch.length() > MAX_BATCH_LENGTH) {
                        print();
                    }
                }
                print();
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    // Reports dropped lines at most once a second, and with each flush.
    private void print() {
        long now = System.nanoTime();
        long lost = dropped.sum() - reportedDropped;
        if (lost > 0 && now - nextReportNanos >= 0 && own.isLoggable(Level.WARNING)) {
            List<?> pairs = List.of("lines", lost);
            long time = System.currentTimeMillis();
            lines.append(batch, new Entry(time, Level.WARNING, "latchkey.logging", "dropped lines", pairs, ""));
            reportedDropped += lost;
            nextReportNanos = now + REPORT_NANOS;
        }
        out.writeBytes(batch.toString().getBytes(StandardCharsets.UTF_8));
        batch.setLength(0);
    }
}
