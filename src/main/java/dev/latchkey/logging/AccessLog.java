package dev.latchkey.logging;

import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.atomic.LongAdder;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Lines of the access log that wait to be formatted and written by another thread. A request only hands over its
 * values. If too many lines wait, further ones are dropped and counted.
 */
public final class AccessLog {
    static final String NAME = "latchkey.access";
    private static final int MAX_WAITING = 4096; // 1 MB with usual paths, 4 MB with the longest

    record Line(long epochMillis, Level level, String method, String path, int status, long micros, String requestId) {
        Object[] pairs() {
            return new Object[] {
                "method", method, "path", path, "status", status, "micros", micros, "requestId", requestId
            };
        }
    }

    private final Logger logger = Logger.getLogger(NAME); // whose level counts
    private final Queue<Line> waiting = new ArrayBlockingQueue<>(MAX_WAITING);
    private final LongAdder dropped = new LongAdder();
    private final Runnable onLine;

    /** @param onLine called after each line, by the thread of the request; must not block */
    public AccessLog(Runnable onLine) {
        this.onLine = onLine;
    }

    /**
     * Adds the line of a request.
     *
     * @param isProbe whether the line is only logged at level DEBUG
     * @param path null if the request target has none
     * @param status code of the response, or -1 if there is none
     * @param micros microseconds from the end of the request's headers until its response is sent
     */
    public void add(boolean isProbe, String method, @Nullable String path, int status, long micros, String requestId) {
        Level level = isProbe ? Level.FINE : Level.INFO;
        if (logger.isLoggable(level)) {
            String cutMethod = LineFormat.cut(method);
            String cutPath = LineFormat.cut(path);
            if (!waiting.offer(
                    new Line(System.currentTimeMillis(), level, cutMethod, cutPath, status, micros, requestId))) {
                dropped.increment();
            }
            onLine.run();
        }
    }

    int size() {
        return waiting.size();
    }

    Line remove() {
        return waiting.remove();
    }

    /** Returns how many lines have been dropped since the process started. */
    public long dropped() {
        return dropped.sum();
    }
}
