package dev.latchkey.logging;

import dev.latchkey.logging.LineFormat.Entry;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/** The access log. A request only hands over its values. */
public final class AccessLog {
    private static final String NAME = "latchkey.access";

    private final Logger logger = Logger.getLogger(NAME); // whose level counts
    private final Logs logs;

    AccessLog(Logs logs) {
        this.logs = logs;
    }

    /**
     * Adds the line of a request, or drops it if too many lines wait.
     *
     * @param isProbe whether the line is only logged at level DEBUG
     * @param path null if the request target has none
     * @param status code of the response, or -1 if there is none
     * @param micros microseconds from the end of the request's headers until its response is sent
     */
    public void add(boolean isProbe, String method, @Nullable String path, int status, long micros, String requestId) {
        Level level = isProbe ? Level.FINE : Level.INFO;
        if (logger.isLoggable(level)) {
            String cutMethod = LineFormat.cut(method); // a client can make either long, and it waits in memory
            String cutPath = LineFormat.cut(path);
            List<?> pairs = List.of(
                    "method", cutMethod, "path", cutPath, "status", status, "micros", micros, "requestId", requestId);
            logs.addRequest(new Entry(System.currentTimeMillis(), level, NAME, "request", pairs, ""));
        }
    }

    /** Returns how many lines, of this log or another, have been dropped since the process started. */
    public long dropped() {
        return logs.dropped();
    }
}
