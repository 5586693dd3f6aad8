package dev.latchkey.http;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How many connections and arriving requests fit into the heap and the limit of open files, whatever their clients
 * send. {@code CrowdTest} verifies the figures with a small heap.
 *
 * @param connections that may be open at the same time; further ones are closed immediately
 * @param arrivals requests that may be arriving at the same time, see {@link ArrivalGate}
 */
record ServerLimits(int connections, int arrivals) {
    /** Requests that the metrics port processes at the same time, and how many of them may be arriving. */
    static final int METRICS_REQUESTS = 32;

    static final int METRICS_ARRIVALS = 2;

    private static final int MAX_CONNECTIONS = 10_000;
    private static final int OTHER_FILES = 100; // jars, selectors and connections to Redis

    // The JDK's buffers of an idle connection take up to 33 KB. A request adds a virtual thread, up to 24 KB for small
    // headers, the buffers of the JSON parser, and the reserve that garbage collection needs.
    private static final int HEAP_BYTES_PER_CONNECTION = 128 * 1024;
    // The fields of a request body: 20 strings of 2,048 characters.
    private static final int MAX_FIELD_BYTES = 80 * 1024;
    // The JDK keeps a request line five times while it reads the headers.
    private static final int HEAP_BYTES_PER_ARRIVAL = 6 * RequestHead.JDK_MAX_BYTES;
    private static final int ARRIVALS_SHARE = 8; // an eighth of the heap

    // An idle connection to the metrics port takes little heap, because none is kept open after its first request.
    private static final long METRICS_HEAP_BYTES =
            (long) METRICS_ARRIVALS * HEAP_BYTES_PER_ARRIVAL + (long) METRICS_REQUESTS * HEAP_BYTES_PER_CONNECTION;

    /** @param metrics whether there is a metrics port, to which the JDK applies the same maximum of connections */
    static ServerLimits of(long heapBytes, long openFiles, int maxBodyBytes, boolean metrics) {
        long perConnection = HEAP_BYTES_PER_CONNECTION + Math.min(2L * maxBodyBytes, MAX_FIELD_BYTES);
        long memory = heapBytes - (metrics ? METRICS_HEAP_BYTES : 0);
        long files = (openFiles - OTHER_FILES) / (metrics ? 2 : 1);
        long connections = Math.min(memory / perConnection, files);
        return new ServerLimits(Math.clamp(connections, 1, MAX_CONNECTIONS), (int)
                Math.max(2, heapBytes / ARRIVALS_SHARE / HEAP_BYTES_PER_ARRIVAL));
    }

    static ServerLimits ofThisProcess(int maxBodyBytes, boolean metrics) {
        return of(Runtime.getRuntime().maxMemory(), openFiles(), maxBodyBytes, metrics);
    }

    // The JDK's management bean would add 20 ms to the start.
    private static long openFiles() {
        try {
            return Files.readAllLines(Path.of("/proc/self/limits")).stream()
                    .filter(line -> line.startsWith("Max open files"))
                    .mapToLong(line -> Long.parseLong(line.split(" +", -1)[3])) // the soft limit
                    .findFirst()
                    .orElse(Long.MAX_VALUE);
        } catch (IOException | NumberFormatException _) {
            return Long.MAX_VALUE; // not Linux, or no limit
        }
    }

    /**
     * Sets system properties that the JDK's server reads once, when its classes load. Keeps values that were set with
     * -D.
     */
    void apply() {
        // The JDK's documentation says that the next two are milliseconds, but its code multiplies them by 1,000.
        set("sun.net.httpserver.maxReqTime", 10); // seconds for request line, headers and body: slowloris
        set("sun.net.httpserver.maxRspTime", 30); // seconds for handler and response: clients that never read
        set("sun.net.httpserver.idleInterval", 75); // seconds, more than the usual 60 of a load balancer
        set("sun.net.httpserver.clockTick", 1000); // milliseconds between checks of idle connections
        // With the default of 200, the 201st client would be disconnected after every response.
        set("sun.net.httpserver.maxIdleConnections", connections);
        set("jdk.httpserver.maxConnections", connections);
        set("sun.net.httpserver.maxReqHeaders", RequestHead.JDK_MAX_NAMES);
        set("sun.net.httpserver.maxReqHeaderSize", RequestHead.JDK_MAX_BYTES);
        // Bytes of a request body that are discarded after the response. A reset instead would destroy the response.
        set("sun.net.httpserver.drainAmount", Long.MAX_VALUE);
        set("sun.net.httpserver.nodelay", true); // otherwise a response waits up to 40 ms for an ACK
    }

    private static void set(String property, Object value) {
        System.getProperties().putIfAbsent(property, value.toString());
    }
}
