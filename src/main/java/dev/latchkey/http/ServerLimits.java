package dev.latchkey.http;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How many connections and arriving requests fit into the heap and into the limit of open files, whatever their clients do.
 * {@code CrowdTest} holds the figures against a small heap.
 *
 * @param connections that may be open at the same time; more are closed at once
 * @param arrivals see {@link ArrivalGate}
 */
record ServerLimits(int connections, int arrivals) {
    private static final int MAX_CONNECTIONS = 10_000;
    private static final int OTHER_FILES = 100; // jars, selectors, connections to Redis

    // An idle connection holds up to 33 KB in the JDK's buffers. A request adds a virtual thread, up to 24 KB for
    // small headers, the buffers of the JSON parser, and what garbage collection needs.
    private static final int HEAP_BYTES_PER_CONNECTION = 128 * 1024;
    // of the fields that a request body can have: 20 strings of 2,048 characters
    private static final int MAX_FIELD_BYTES = 80 * 1024;
    // a request line of the JDK's limit is kept five times while the headers are read
    private static final int HEAP_BYTES_PER_ARRIVAL = 6 * RequestHead.JDK_MAX_BYTES;
    private static final int ARRIVALS_SHARE = 8; // of the heap: an eighth

    /** @param maxBodyBytes of a request body */
    static ServerLimits of(long heapBytes, long openFiles, int maxBodyBytes) {
        long perConnection = HEAP_BYTES_PER_CONNECTION + Math.min(2L * maxBodyBytes, MAX_FIELD_BYTES);
        long connections = Math.min(heapBytes / perConnection, openFiles - OTHER_FILES);
        return new ServerLimits(Math.clamp(connections, 1, MAX_CONNECTIONS), (int)
                Math.max(2, heapBytes / ARRIVALS_SHARE / HEAP_BYTES_PER_ARRIVAL));
    }

    static ServerLimits ofThisProcess(int maxBodyBytes) {
        return of(Runtime.getRuntime().maxMemory(), openFiles(), maxBodyBytes);
    }

    // the JDK's own way, a management bean, takes 20 ms of the start and two modules more
    private static long openFiles() {
        try {
            return Files.readAllLines(Path.of("/proc/self/limits")).stream()
                    .filter(line -> line.startsWith("Max open files"))
                    .mapToLong(line -> Long.parseLong(line.split(" +", -1)[3])) // the soft limit
                    .findFirst()
                    .orElse(Long.MAX_VALUE);
        } catch (IOException | NumberFormatException _) {
            return Long.MAX_VALUE; // not Linux, or unlimited
        }
    }

    /** Sets what the JDK's server reads once, when its classes load. What {@code -D} sets is left alone. */
    void apply() {
        set("sun.net.httpserver.maxReqTime", 10); // seconds for request line, headers and body: slowloris
        set("sun.net.httpserver.maxRspTime", 30); // seconds for handler and write: clients that never read
        set("sun.net.httpserver.idleInterval", 75); // seconds; more than the usual 60 of a load balancer
        set("sun.net.httpserver.clockTick", 1000); // milliseconds between looks at idle connections
        // with the default of 200, the 201st client is cut off after every response
        set("sun.net.httpserver.maxIdleConnections", connections);
        set("jdk.httpserver.maxConnections", connections);
        set("sun.net.httpserver.maxReqHeaders", RequestHead.JDK_MAX_NAMES);
        set("sun.net.httpserver.maxReqHeaderSize", RequestHead.JDK_MAX_BYTES);
        // bytes that are discarded after the response, until maxReqTime: a reset would destroy the response
        set("sun.net.httpserver.drainAmount", Long.MAX_VALUE);
        set("sun.net.httpserver.nodelay", true); // otherwise responses wait up to 40 ms for the client's ACK
    }

    private static void set(String property, Object value) {
        System.getProperties().putIfAbsent(property, value.toString());
    }
}
