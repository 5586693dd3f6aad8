package dev.latchkey.http;

import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import dev.latchkey.logging.Logs;
import dev.latchkey.metrics.Registry;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The JDK's HTTP server with one virtual thread per request, with limits, and with a graceful stop.
 *
 * @param notInFlight has one permit less for each request in flight; the JDK's own count is wrong after a broken exchange
 * @param draining makes every response close its connection
 */
public record Server(HttpServer server, ArrivalGate arrivals, Semaphore notInFlight, AtomicBoolean draining) {
    private static final int BACKLOG = 1024; // connections that are not accepted yet
    // If nothing is in flight and the JDK's stop takes longer, its own count of requests is wrong.
    private static final Duration JDK_STOP_TIMEOUT = Duration.ofSeconds(1);

    /**
     * Starts listening on the public port.
     *
     * @param authentications creates the filter of a guarded request
     * @param problems returns the response to an exception, or null if the exception is unexpected, which is logged and
     *     gets a 500
     * @param logs receives the requests, unless the settings turn it off
     * @param registry receives the measurements
     * @throws BindException if the address is not available
     */
    public static Server start(
            HttpSettings settings,
            List<Route> routes,
            Supplier<? extends Authentication> authentications,
            Function<Throwable, @Nullable Problem> problems,
            Logs logs,
            Registry registry)
            throws IOException {
        ServerLimits limits = ServerLimits.ofThisProcess(settings.maxBodyBytes(), settings.metricsAddress() != null);
        limits.apply();
        var arrivals = new ArrivalGate(limits.arrivals());
        var notInFlight = new Semaphore(Integer.MAX_VALUE);
        var server = new Server(create(settings.address(), "PORT"), arrivals, notInFlight, new AtomicBoolean());
        var metrics = new RequestMetrics(registry);
        var router = new Router(routes);
        var handler = new RequestHandler(settings, router, authentications, problems, metrics, logs, server);
        registry.gauge("http_server_active_requests", "Requests in flight.", server::inFlight);
        registry.gauge(
                "latchkey_http_arriving_requests", "Requests whose headers are not complete yet.", arrivals::arriving);
        registry.gauge("latchkey_http_max_connections", "Limit of open connections.", limits::connections);
        start(server.server, handler, arrivals);
        return server;
    }

    /**
     * Starts listening on the metrics port, which must keep responding while the public port is at its limits. The
     * JDK's limits hold for each port separately. Here, each response closes its connection, and few requests are
     * processed at the same time, so that this port needs little memory.
     *
     * @param responses by path; all other paths get a 404
     * @throws BindException if the address is not available
     */
    public static HttpServer startMetrics(InetSocketAddress address, Map<String, Supplier<Response>> responses)
            throws IOException {
        Response notFound = new Problem(ErrorCode.NOT_FOUND, "Not found.").response();
        HttpHandler handler = exchange -> {
            new RequestHead(exchange).replaceBody();
            exchange.getResponseHeaders().set("Connection", "close");
            String path = exchange.getRequestURI().getRawPath();
            Response response = responses.getOrDefault(path, () -> notFound).get();
            response.send(exchange);
            response.end(exchange);
        };
        HttpServer server = create(address, "METRICS_PORT");
        start(server, handler, new ArrivalGate(ServerLimits.METRICS_ARRIVALS));
        return server;
    }

    private static HttpServer create(InetSocketAddress address, String setting) throws IOException {
        try {
            return HttpServer.create(address, BACKLOG);
        } catch (BindException e) {
            String message = "cannot listen on port " + address.getPort() + ": " + e.getMessage();
            throw new BindException(message + ". Set " + setting + " or HOST.");
        }
    }

    private static void start(HttpServer server, HttpHandler handler, ArrivalGate arrivals) {
        server.setExecutor(arrivals);
        server.createContext("/", handler);
        server.start();
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
        draining.set(true);
        Thread.sleep(lameDuck);
        // Refuses new connections and serves open ones. It waits for a count that is wrong after a broken exchange.
        Thread stopping = Thread.ofVirtual().start(() -> server.stop(Integer.MAX_VALUE));
        boolean finished = awaitIdle(deadline - System.nanoTime());
        if (finished) {
            stopping.join(JDK_STOP_TIMEOUT);
            finished = awaitIdle(deadline - System.nanoTime());
        }
        stopping.interrupt();
        stopping.join();
        arrivals.close();
        return finished;
    }

    private int inFlight() {
        return Integer.MAX_VALUE - notInFlight.availablePermits();
    }

    // Waits until no request is in flight. Returns false if one still is after that time.
    private boolean awaitIdle(long nanos) throws InterruptedException {
        boolean idle = notInFlight.tryAcquire(Integer.MAX_VALUE, nanos, TimeUnit.NANOSECONDS);
        if (idle) {
            notInFlight.release(Integer.MAX_VALUE);
        }
        return idle;
    }
}
