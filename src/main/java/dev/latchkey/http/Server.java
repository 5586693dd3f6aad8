package dev.latchkey.http;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/** The JDK's HTTP server with one virtual thread per request, with limits, and with a graceful stop. */
public record Server(HttpServer server, RequestHandler handler, ArrivalGate arrivals) {
    private static final int BACKLOG = 1024; // connections that are not accepted yet
    // If nothing is in flight and the JDK's stop takes longer, its own count of requests is wrong.
    private static final Duration JDK_STOP_TIMEOUT = Duration.ofSeconds(1);

    /**
     * Starts listening.
     *
     * @param authentication binds {@link Route#CALLER} and calls its chain, or throws a 401 {@link Problem}
     * @throws IOException if the address is not available
     */
    public static Server start(HttpSettings settings, List<Route> routes, Filter authentication, ProblemMapper problems)
            throws IOException {
        ServerLimits limits = ServerLimits.ofThisProcess(settings.maxBodyBytes());
        limits.apply();
        HttpServer server = HttpServer.create(settings.address(), BACKLOG);
        var arrivals = new ArrivalGate(limits.arrivals());
        var handler = new RequestHandler(new Router(routes), authentication, problems, arrivals, settings);
        server.setExecutor(arrivals);
        server.createContext("/", handler);
        server.start();
        return new Server(server, handler, arrivals);
    }

    /** Returns the port that the server listens on. */
    public int port() {
        return server.getAddress().getPort();
    }

    /**
     * Stops gracefully. Requests in flight are finished, unless they take longer than {@code grace}.
     *
     * @param lameDuck how long to keep serving, closing each connection after its response, while load balancers
     *     notice that this instance is not ready any more
     * @param grace for all of this, including {@code lameDuck}
     * @return whether all requests were finished
     */
    public boolean stop(Duration lameDuck, Duration grace) throws InterruptedException {
        long deadline = System.nanoTime() + grace.toNanos();
        handler.drain();
        Thread.sleep(lameDuck);
        // Refuses new connections and serves open ones. It waits for a count that is wrong after a broken exchange.
        Thread stopping = Thread.ofVirtual().start(() -> server.stop(Integer.MAX_VALUE));
        boolean finished = handler.awaitIdle(deadline - System.nanoTime());
        if (finished) {
            stopping.join(JDK_STOP_TIMEOUT);
            finished = handler.awaitIdle(deadline - System.nanoTime());
        }
        stopping.interrupt();
        stopping.join();
        arrivals.close();
        return finished;
    }
}
