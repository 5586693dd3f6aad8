package dev.latchkey.http;

import static java.lang.System.Logger.Level.ERROR;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import dev.latchkey.http.Router.Match;
import dev.latchkey.logging.AccessLog;
import dev.latchkey.overload.Deadline;
import java.io.IOException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntConsumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The life of a request: its head, route, caller, handler, response or problem, and access log line. */
final class RequestHandler implements HttpHandler {
    static final String REQUEST_ID = "X-Request-Id";

    private static final System.Logger LOG = System.getLogger("latchkey.http");
    // The JDK's server closes the connection of a request after 30 s, and one command may take up to 11 s.
    private static final Duration LAST_COMMAND = Duration.ofSeconds(18);
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    private final Router router;
    private final Filter authentication;
    private final ProblemMapper problems;
    private final ArrivalGate arrivals;
    private final HttpSettings settings;
    private final @Nullable RequestMetrics metrics;
    // The JDK's own count of requests in flight is wrong after a broken exchange.
    private final Semaphore notInFlight = new Semaphore(Integer.MAX_VALUE);
    private volatile boolean draining;

    /** @param metrics null for the metrics port, whose requests are neither measured nor logged at INFO */
    RequestHandler(
            Router router,
            Filter authentication,
            ProblemMapper problems,
            ArrivalGate arrivals,
            HttpSettings settings,
            @Nullable RequestMetrics metrics) {
        this.router = router;
        this.authentication = authentication;
        this.problems = problems;
        this.arrivals = arrivals;
        this.settings = settings;
        this.metrics = metrics;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        long start = System.nanoTime();
        notInFlight.acquireUninterruptibly();
        RequestHead head = RequestHead.of(exchange);
        String requestId = requestId(head.requestIds());
        Match match = router.match(RequestHead.path(exchange));
        var finished = new AtomicBoolean();
        IntConsumer finish = status -> {
            if (finished.compareAndSet(false, true)) {
                notInFlight.release();
                long nanos = System.nanoTime() - start;
                measure(exchange, match, status, nanos);
                logAccess(exchange, requestId, status, nanos / 1000);
            }
        };
        try (var memory = new LargeHead(exchange)) {
            try {
                setCommonHeaders(exchange, head, requestId);
                RequestBody.install(exchange, head, finish);
                ResponseBody.install(exchange, finish);
                memory.reserve(head);
                arrivals.arrived();
                head.check();
                Deadline.run(LAST_COMMAND, () -> {
                    dispatch(exchange, match);
                    return true;
                });
            } catch (IOException e) {
                memory.connectionLost();
                throw e; // the JDK's server closes the connection
            } catch (Throwable e) { // the JDK's server would leave the connection open without a response
                sendProblem(exchange, e, requestId);
            } finally {
                finish.accept(exchange.getResponseCode());
            }
        }
    }

    private void dispatch(HttpExchange exchange, @Nullable Match match) throws IOException {
        if (match == null) {
            throw new Problem(404, "Not found.");
        }
        String method = exchange.getRequestMethod();
        var request = new Request(exchange, match.parameter(), settings);
        switch (match.route(method)) {
            case Route.Open open -> open.handler().handle(request).send(exchange);
            case Route.Guarded guarded -> {
                HttpHandler handler = e ->
                        guarded.handler().handle(request, Route.CALLER.get()).send(e);
                authentication.doFilter(exchange, new Filter.Chain(List.of(), handler));
            }
            case Route.ClientOnly route -> {
                String clientId = route.authenticator().authenticate(request);
                route.handler().handle(request, clientId).send(exchange);
            }
            case null -> {
                String allow = match.allow();
                if (!method.equals("OPTIONS")) {
                    throw new Problem(405, "This path supports " + allow + ".").withHeader("Allow", allow);
                }
                // Preflights are only answered here. A proxy takes any 2xx of /api/auth/verify for a valid token. That
                // route accepts every method, so it also checks the token of an OPTIONS request.
                Cors.setPreflightHeaders(exchange, allow);
                Response.NO_CONTENT.withHeader("Allow", allow).send(exchange);
            }
        }
    }

    private void setCommonHeaders(HttpExchange exchange, RequestHead head, String requestId) {
        var headers = exchange.getResponseHeaders();
        headers.set(REQUEST_ID, requestId);
        headers.set("X-Content-Type-Options", "nosniff");
        settings.cors().setHeaders(exchange, head);
        String path = exchange.getRequestURI().getRawPath();
        if (path != null && path.startsWith("/api/")) {
            headers.set("Cache-Control", "no-store");
        }
        // Request smuggling: a chunk size that overflows an int ends the body early for the JDK's parser, which would
        // read the rest as the next request. No request may therefore follow a chunked one.
        if (draining || head.isChunked() || head.wantsClose()) {
            headers.set("Connection", "close");
        }
    }

    private void sendProblem(HttpExchange exchange, Throwable e, String requestId) throws IOException {
        if (exchange.getResponseCode() != -1) {
            LOG.log(ERROR, "failed after the response had started, request " + requestId, e);
            throw new IOException("the response had started");
        }
        Problem problem = problems.problem(e);
        if (problem == null) {
            LOG.log(ERROR, "unexpected error, request " + requestId, e);
            String detail = "An unexpected error occurred. Its details are logged with the id " + requestId + ".";
            problem = new Problem(500, detail);
        }
        problem.response().send(exchange);
    }

    private void measure(HttpExchange exchange, @Nullable Match match, int status, long nanos) {
        if (metrics != null) {
            String path = match == null ? RequestMetrics.NO_ROUTE : match.path();
            metrics.record(path, exchange.getRequestMethod(), status, nanos);
        }
    }

    private void logAccess(HttpExchange exchange, String requestId, int status, long micros) {
        AccessLog accessLog = settings.accessLog();
        if (accessLog != null) {
            // The query is left out, because it may contain a token (RFC 6750 §5.3).
            String path = exchange.getRequestURI().getRawPath();
            boolean isProbe = metrics == null || (path != null && path.startsWith("/health/")); // may come every second
            accessLog.add(isProbe, exchange.getRequestMethod(), path, status, micros, requestId);
        }
    }

    // Returns the client's request id if it is safe to repeat in headers and logs, otherwise a new one.
    private static String requestId(List<String> sent) {
        return sent.size() == 1 && ID.matcher(sent.getFirst()).matches()
                ? sent.getFirst()
                : HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    }

    int inFlight() {
        return Integer.MAX_VALUE - notInFlight.availablePermits();
    }

    /** Makes every response from now on close its connection. */
    void drain() {
        draining = true;
    }

    /** Waits until no request is in flight. Returns false if one still is after that time. */
    boolean awaitIdle(long nanos) throws InterruptedException {
        boolean idle = notInFlight.tryAcquire(Integer.MAX_VALUE, nanos, TimeUnit.NANOSECONDS);
        if (idle) {
            notInFlight.release(Integer.MAX_VALUE);
        }
        return idle;
    }
}
