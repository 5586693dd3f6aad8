package dev.latchkey.http;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpServer;
import dev.latchkey.metrics.Registry;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;

/** The JDK's HTTP server with one virtual thread per request, with limits, and with a graceful stop. */
public record Server(HttpServer server, RequestHandler handler, ArrivalGate arrivals) {
    private static final int BACKLOG = 1024; // connections that are not accepted yet
    // If nothing is in flight and the JDK's stop takes longer, its own count of requests is wrong.
    private static final Duration JDK_STOP_TIMEOUT = Duration.ofSeconds(1);

    /**
     * Starts listening on the public port.
     *
     * @param authentication binds {@link Route#CALLER} and calls its chain, or throws a 401 {@link Problem}
     * @param registry receives the measurements
     * @throws BindException if the address is not available
     */
    public static Server start(
            HttpSettings settings, List<Route> routes, Filter authentication, ProblemMapper problems, Registry registry)
            throws IOException {
        ServerLimits limits = ServerLimits.ofThisProcess(settings.maxBodyBytes(), settings.metricsAddress() != null);
        limits.apply();
        var arrivals = new ArrivalGate(limits.arrivals());
        var metrics =
                new RequestMetrics(registry, routes.stream().map(Route::path).toList());
        var handler = new RequestHandler(new Router(routes), authentication, problems, arrivals, settings, metrics);
        Server server = start(create(settings.address(), "PORT"), handler, arrivals, arrivals);
        registry.gauge("http_server_active_requests", "Requests in flight.", handler::inFlight);
        registry.gauge(
                "latchkey_http_arriving_requests", "Requests whose headers are not complete yet.", arrivals::arriving);
        registry.gauge("latchkey_http_max_connections", "Limit of open connections.", limits::connections);
        return server;
    }

    /**
     * Starts listening on the metrics port, which must keep responding while the public port is at its limits. The
     * JDK's limits hold for each port separately. Here, each response closes its connection, and few requests are
     * processed at the same time, so that this port needs little memory.
     *
     * @throws BindException if the address is not available
     */
    public static Server startMetrics(
            HttpSettings settings,
            InetSocketAddress address,
            List<Route> routes,
            Filter authentication,
            ProblemMapper problems)
            throws IOException {
        var arrivals = new ArrivalGate(ServerLimits.METRICS_ARRIVALS);
        var slots = new Semaphore(ServerLimits.METRICS_REQUESTS);
        var handler = new RequestHandler(new Router(routes), authentication, problems, arrivals, settings, null);
        handler.drain();
        Executor limited = exchange -> {
            if (!slots.tryAcquire()) {
                throw new RejectedExecutionException(); // the JDK's server closes the connection
            }
            arrivals.execute(() -> {
                try {
                    exchange.run();
                } finally {
                    slots.release();
                }
            });
        };
        return start(create(address, "METRICS_PORT"), handler, limited, arrivals);
    }

    private static HttpServer create(InetSocketAddress address, String setting) throws IOException {
        try {
            return HttpServer.create(address, BACKLOG);
        } catch (BindException e) {
            String message = "cannot listen on port " + address.getPort() + ": " + e.getMessage();
            throw new BindException(message + ". Set " + setting + " or HOST.");
        }
    }

    private static Server start(HttpServer server, RequestHandler handler, Executor executor, ArrivalGate arrivals) {
        server.setExecutor(executor);
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
