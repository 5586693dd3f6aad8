package dev.latchkey.http;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The JDK's HTTP server with a virtual thread a request, its limits set, and an orderly end. */
public final class Server {
    // A connection takes 21 KB of the heap when idle, 27 KB with half a request: connections alone never fill it.
    private static final long HEAP_BYTES_PER_CONNECTION = 65_536;
    private static final long CONNECTIONS =
            Math.min(10_000, Runtime.getRuntime().maxMemory() / HEAP_BYTES_PER_CONNECTION);

    // read once, when the server's classes load; most defaults mean "no limit". What -D sets is left alone.
    private static final Map<String, String> LIMITS = Map.of(
            "sun.net.httpserver.maxReqTime", "10", // seconds for request line, headers and body: slowloris
            "sun.net.httpserver.maxRspTime", "30", // seconds for handler and write: a client that never reads
            "sun.net.httpserver.idleInterval", "75", // seconds; more than the usual 60 of a load balancer
            "sun.net.httpserver.clockTick", "1000", // milliseconds between looks at idle connections
            "sun.net.httpserver.maxIdleConnections",
                    Long.toString(CONNECTIONS), // 200: the 201st client is cut off after every answer
            "jdk.httpserver.maxConnections", Long.toString(CONNECTIONS),
            "sun.net.httpserver.maxReqHeaders", "64",
            "sun.net.httpserver.maxReqHeaderSize", "16384", // bytes: request line, headers, 32 a header line
            "sun.net.httpserver.drainAmount", "1048576", // bytes read off, so that a client sees its 413 and no reset
            "sun.net.httpserver.nodelay", "true"); // else answers wait up to 40 ms for the client's ACK

    private static final int BACKLOG = 1024; // connections not yet accepted
    private static final Duration WRONG_COUNT = Duration.ofSeconds(1); // with nothing in flight it must be that

    static {
        LIMITS.forEach((name, value) -> System.getProperties().putIfAbsent(name, value));
    }

    private final HttpServer server;
    private final ErrorFilter errorFilter;
    private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();

    private Server(HttpServer server, ErrorFilter errorFilter) {
        this.server = server;
        this.errorFilter = errorFilter;
    }

    /**
     * @param address port 0 takes a free one
     * @param problems what an exception means to a client; null where it is unexpected: 500, with details in the log
     * @throws IOException where the address cannot be bound
     */
    public static Server start(
            InetSocketAddress address, Router router, Function<Throwable, @Nullable Problem> problems)
            throws IOException {
        var server = new Server(HttpServer.create(address, BACKLOG), new ErrorFilter(problems));
        server.server.setExecutor(server.executor);
        server.server.createContext("/", router).getFilters().add(server.errorFilter);
        server.server.start();
        return server;
    }

    public int port() {
        return server.getAddress().getPort();
    }

    /**
     * Stops without cutting off what is in flight, unless it takes longer than {@code grace}.
     *
     * @param lameDuck for so long it goes on, but closes each connection after its answer: load balancers notice that it is
     *     no longer ready, and leave
     * @param grace for all of it
     * @return whether all was finished
     */
    public boolean stop(Duration lameDuck, Duration grace) throws InterruptedException {
        long deadline = System.nanoTime() + grace.toNanos();
        errorFilter.drain();
        Thread.sleep(lameDuck);
        // refuses new connections, answers on open ones, and waits by a count that a broken exchange leaves wrong
        Thread stopping = Thread.ofVirtual().start(() -> server.stop(Integer.MAX_VALUE));
        boolean finished = errorFilter.awaitIdle(deadline - System.nanoTime());
        if (finished) {
            stopping.join(WRONG_COUNT);
            finished = errorFilter.awaitIdle(deadline - System.nanoTime());
        }
        stopping.interrupt();
        stopping.join();
        executor.shutdownNow();
        return finished;
    }
}
