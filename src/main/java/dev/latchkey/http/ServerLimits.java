package dev.latchkey.http;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Semaphore;

/**
 * How much of the heap requests may take, whatever their clients send. {@code CrowdTest} verifies the figures with a
 * small heap. A request meets these limits, in this order:
 *
 * <ol>
 *   <li>Connections: as many may be open as fit into the heap, less the part of the metrics port. Further ones are closed
 *       immediately. Each is planned with 128 KiB, and with up to 80 KiB for the fields of a request body. The JDK's
 *       buffers of an idle connection take 33 KB, and a half-sent request 68 KB in all. The rest is for the shares below,
 *       and for garbage collection.
 *   <li>Requests that are arriving: the JDK reads a request line and headers of up to 224 KiB before any code of ours
 *       runs, and that can take 1.3 MB. They share an eighth of the heap. If it is full, the newest request takes the
 *       place of the oldest that waits for its client ({@link ArrivalGate}).
 *   <li>Large heads: a head above 34 KiB gets a 431. One above 4 KiB counts eight times its size while its request is in
 *       memory. They share an eighth of the heap. If it is full, a request gets a 503 ({@link RequestHead}).
 *   <li>Request bodies: a body is parsed while it arrives. At most 20 fields are kept, of at most 2,048 characters
 *       ({@link RequestFields}).
 *   <li>Large response bodies: a body above 4 KiB counts until it is sent. They share a quarter of the heap.
 *       If it is full, a request gets a 503 ({@link Response}).
 * </ol>
 *
 * <p>On the metrics port, a request counts as arriving until its response is sent, and at most 5 requests may arrive.
 *
 * @param connections that may be open at the same time
 * @param arrivals requests that may be arriving at the same time
 */
record ServerLimits(int connections, int arrivals) {
    /** By default, nginx passes on 32 KiB, and adds some headers of its own. */
    static final int MAX_HEAD_BYTES = 34 * 1024;

    static final int MAX_HEADER_NAMES = 200;
    static final int SMALL_HEAD_BYTES = 4096;
    /** The JDK keeps a request line five times, and a short header takes about 300 bytes. */
    static final int HEAP_PER_HEAD_BYTE = 8;

    /** The shares for large heads and response bodies. A permit stands for {@link #UNIT} bytes. */
    static final Semaphore LARGE_HEADS = shareOfHeap(8);

    static final Semaphore LARGE_BODIES = shareOfHeap(4);
    static final int UNIT = 1024;
    static final int METRICS_ARRIVALS = 5;

    private static final int MAX_CONNECTIONS = 10_000;
    private static final int OTHER_FILES = 100; // jars, selectors and connections to Redis
    private static final int HEAP_PER_CONNECTION = 128 * 1024;
    private static final int MAX_FIELD_BYTES = 80 * 1024;

    // Above its own limits, the JDK closes the connection without a response, and a proxy then considers this
    // instance to be down. These limits therefore allow whatever nginx passes on, even in short lines. The JDK counts
    // 32 extra bytes per line.
    private static final int JDK_MAX_HEAD_BYTES = 224 * 1024;
    private static final int JDK_MAX_HEADER_NAMES = 6000;
    // The JDK keeps a request line five times while it reads the headers.
    private static final int HEAP_PER_ARRIVAL = 6 * JDK_MAX_HEAD_BYTES;
    private static final int ARRIVALS_SHARE = 8; // an eighth of the heap

    /** @param metrics whether there is a metrics port, to which the JDK applies the same maximum of connections */
    static ServerLimits of(long heapBytes, long openFiles, int maxBodyBytes, boolean metrics) {
        long perConnection = HEAP_PER_CONNECTION + Math.min(2L * maxBodyBytes, MAX_FIELD_BYTES);
        // An idle connection to the metrics port takes little heap, because none is kept open after its first request.
        long memory = heapBytes - (metrics ? METRICS_ARRIVALS * HEAP_PER_ARRIVAL : 0);
        long files = (openFiles - OTHER_FILES) / (metrics ? 2 : 1);
        long connections = Math.min(memory / perConnection, files);
        long arrivals = heapBytes / ARRIVALS_SHARE / HEAP_PER_ARRIVAL;
        return new ServerLimits(Math.clamp(connections, 1, MAX_CONNECTIONS), (int) Math.max(2, arrivals));
    }

    private static Semaphore shareOfHeap(int divisor) {
        long units = Runtime.getRuntime().maxMemory() / divisor / UNIT;
        return new Semaphore((int) Math.min(Integer.MAX_VALUE, units));
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
        // Seconds for request line, headers and body: slowloris. A route that reads no body may wait for Redis
        // meanwhile.
        set("sun.net.httpserver.maxReqTime", 30);
        set("sun.net.httpserver.maxRspTime", 30); // seconds for handler and response: clients that never read
        set("sun.net.httpserver.idleInterval", 75); // seconds, more than the usual 60 of a load balancer
        set("sun.net.httpserver.clockTick", 1000); // milliseconds between checks of idle connections
        // With the default of 200, the 201st client would be disconnected after every response.
        set("sun.net.httpserver.maxIdleConnections", connections);
        set("jdk.httpserver.maxConnections", connections);
        set("sun.net.httpserver.maxReqHeaders", JDK_MAX_HEADER_NAMES);
        set("sun.net.httpserver.maxReqHeaderSize", JDK_MAX_HEAD_BYTES);
        // Bytes of a request body that are discarded after the response. A reset instead would destroy the response.
        set("sun.net.httpserver.drainAmount", Long.MAX_VALUE);
        set("sun.net.httpserver.nodelay", true); // otherwise a response waits up to 40 ms for an ACK
    }

    private static void set(String property, Object value) {
        System.getProperties().putIfAbsent(property, value.toString());
    }
}
