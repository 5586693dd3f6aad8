package dev.latchkey.http;

import static java.lang.System.Logger.Level.ERROR;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import dev.latchkey.http.Router.Match;
import dev.latchkey.logging.Logs;
import dev.latchkey.overload.Deadline;
import dev.latchkey.tokens.ClientInfo;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The life of a request: its head, route, caller, handler, response or problem, and access log line.
 *
 * @param authentications creates the filter of a guarded request
 * @param problems returns null for an unexpected exception
 */
record RequestHandler(
        HttpSettings settings,
        Router router,
        Supplier<? extends Authentication> authentications,
        Function<Throwable, @Nullable Problem> problems,
        RequestMetrics metrics,
        Logs logs,
        Server server)
        implements HttpHandler {
    static final String REQUEST_ID = "X-Request-Id";
    private static final List<String> NO_SNIFF = List.of("nosniff");
    private static final List<String> NO_STORE = List.of("no-store");

    /** Becomes text on the thread that writes the log. */
    private record Address(InetAddress address) {
        @Override
        public String toString() {
            return ClientInfo.text(address);
        }
    }

    private static final System.Logger LOG = System.getLogger("latchkey.http");
    // The JDK's server closes the connection of a request after 30 s, and one command may take up to 11 s.
    private static final Duration LAST_COMMAND = Duration.ofSeconds(18);
    private static final Filter.Chain END = new Filter.Chain(List.of(), _ -> {});

    /** Handles a request in the steps of "Life of a request" in architecture.md. */
    @Override
    public void handle(HttpExchange exchange) throws IOException {
        long start = System.nanoTime();
        try (var head = new RequestHead(exchange)) {
            String requestId = head.requestId();
            Match match = null;
            Response response = null;
            server.notInFlight().acquireUninterruptibly();
            try {
                setCommonHeaders(exchange, head, requestId);
                head.replaceBody();
                head.reserveMemory();
                server.arrivals().arrived();
                head.check();
                match = router.match(head.path());
                response = respond(exchange, head, match);
                response.send(exchange);
            } catch (IOException e) {
                throw e; // the connection is lost, and the JDK's server closes it
            } catch (Throwable e) { // the JDK's server would leave the connection open without a response
                response = problem(e, requestId).response();
                response.send(exchange); // an IOException if the response has started
            } finally {
                int status = response == null ? -1 : response.status;
                long nanos = System.nanoTime() - start;
                metrics.record(exchange.getRequestMethod(), match, status, nanos);
                logAccess(exchange, head, requestId, status, nanos / 1000);
                server.notInFlight().release();
            }
            response.end(exchange);
            head.awaitClosedConnection();
        }
    }

    private void setCommonHeaders(HttpExchange exchange, RequestHead head, String requestId) {
        var headers = exchange.getResponseHeaders();
        headers.put(REQUEST_ID, List.of(requestId)); // set() would make a linked list
        headers.put("X-Content-Type-Options", NO_SNIFF);
        settings.cors().setHeaders(exchange);
        if (head.path().startsWith("/api/")) {
            headers.put("Cache-Control", NO_STORE);
        }
        if (server.draining().get() || head.closesConnection()) {
            headers.set("Connection", "close");
        }
    }

    private Response respond(HttpExchange exchange, RequestHead head, @Nullable Match match) throws IOException {
        if (match == null) {
            throw new Problem(ErrorCode.NOT_FOUND, "Not found.");
        }
        String method = exchange.getRequestMethod();
        var request = new Request(exchange, head, match.parameter(), settings);
        Route route = match.route(method);
        if (route != null && !route.method().equals(Route.ANY)) { // a token check sends one command
            Deadline.start(LAST_COMMAND);
        }
        return switch (route) {
            case Route.Open open -> open.handler().handle(request);
            case Route.Guarded guarded -> {
                Authentication authentication = authentications.get();
                authentication.doFilter(exchange, END);
                yield guarded.handler().handle(request, authentication.caller());
            }
            case Route.ClientOnly clientOnly -> {
                try {
                    String clientId = clientOnly.authentication().apply(request);
                    yield clientOnly.handler().handle(request, clientId);
                } catch (Problem e) {
                    throw e.withOAuthError();
                }
            }
            case null -> {
                String allow = match.allow();
                if (!method.equals("OPTIONS")) {
                    String detail = "This path supports " + allow + ".";
                    throw new Problem(ErrorCode.METHOD_NOT_ALLOWED, detail).withHeader("Allow", allow);
                }
                // Preflights are only answered here. A proxy takes any 2xx of /api/auth/verify for a valid token. That
                // route accepts every method, so it also checks the token of an OPTIONS request.
                Cors.setPreflightHeaders(exchange, allow);
                yield Response.NO_CONTENT.withHeader("Allow", allow);
            }
        };
    }

    private Problem problem(Throwable e, String requestId) {
        Problem problem = problems.apply(e);
        if (problem != null) {
            return problem;
        }
        LOG.log(ERROR, "unexpected error, request " + requestId, e);
        String detail = "An unexpected error occurred. Its details are logged with the id " + requestId + ".";
        return new Problem(ErrorCode.INTERNAL_ERROR, detail);
    }

    private void logAccess(HttpExchange exchange, RequestHead head, String requestId, int status, long micros) {
        if (settings.accessLog()) {
            // The query is left out, because it may contain a token (RFC 6750 §5.3).
            String path = exchange.getRequestURI().getRawPath();
            InetAddress address = head.client(settings.trustedProxyHops());
            boolean isProbe = path != null && path.startsWith("/health/"); // may come every second
            logs.request(isProbe, exchange.getRequestMethod(), path, status, micros, new Address(address), requestId);
        }
    }
}
