package dev.latchkey.http;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The JDK's HTTP server with a virtual thread a request, its limits set, and an orderly end. */
public final class Server {
    private static final int BACKLOG = 1024; // connections not yet accepted
    private static final Duration WRONG_COUNT = Duration.ofSeconds(1); // with nothing in flight it must be that

    private final HttpServer server;
    private final ErrorFilter errorFilter;
    private final ArrivalGate arrivals;

    private Server(HttpServer server, Function<Throwable, @Nullable Problem> problems, int maxArrivals) {
        this.server = server;
        arrivals = new ArrivalGate(maxArrivals);
        errorFilter = new ErrorFilter(problems, arrivals);
    }

    /**
     * @param address port 0 takes a free one
     * @param problems what an exception means to a client; null where it is unexpected: 500, with details in the log
     * @throws IOException where the address cannot be bound
     */
    public static Server start(
            InetSocketAddress address, Router router, Function<Throwable, @Nullable Problem> problems)
            throws IOException {
        ServerLimits limits = ServerLimits.ofThisProcess(router.maxBodyBytes());
        limits.apply();
        var server = new Server(HttpServer.create(address, BACKLOG), problems, limits.arrivals());
        server.server.setExecutor(server.arrivals);
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
        arrivals.close();
        return finished;
    }
}
