package dev.latchkey.http;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Outermost: what every request gets, whatever happens within. Request id, common headers, an answer, a log line. */
final class ErrorFilter extends Filter {
    static final String REQUEST_ID = "X-Request-Id";

    private static final System.Logger LOG = System.getLogger("latchkey.http");
    private static final System.Logger ACCESS = System.getLogger("latchkey.access");
    // Up to this size, request line and headers are part of what each connection may take. The JDK keeps a request
    // line five times, and a short header takes some 300 bytes.
    private static final int SMALL_HEADER_SIZE = 4096;
    private static final int MAX_CLOSING_MILLIS = 5000;
    private static final int HEAP_BYTES_PER_HEADER_BYTE = 8;
    private static final MemoryBudget LARGE_HEADERS =
            new MemoryBudget(Runtime.getRuntime().maxMemory() / 8);
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    // all permits are there: nothing is in flight. The JDK's own count goes wrong after a broken exchange
    private final Semaphore inFlight = new Semaphore(Integer.MAX_VALUE);
    private final Function<Throwable, @Nullable Problem> problems;
    private final ArrivalGate arrivals;
    private volatile boolean draining;

    ErrorFilter(Function<Throwable, @Nullable Problem> problems, ArrivalGate arrivals) {
        this.problems = problems;
        this.arrivals = arrivals;
    }

    @Override
    public String description() {
        return "errors, request id, access log";
    }

    @Override
    public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
        long start = System.nanoTime();
        RequestHead head = RequestHead.of(exchange);
        String requestId = requestId(head.requestIds());
        inFlight.acquireUninterruptibly();
        var finished = new AtomicBoolean();
        IntConsumer finish = status -> {
            if (finished.compareAndSet(false, true)) {
                inFlight.release();
                log(exchange, requestId, status, System.nanoTime() - start);
            }
        };
        int reserved = 0;
        boolean large = true;
        boolean closing = false;
        try {
            commonHeaders(exchange, head, requestId);
            RequestBody.install(exchange, head, finish);
            int size = head.size();
            large = size > SMALL_HEADER_SIZE;
            if (large) {
                exchange.getResponseHeaders().set("Connection", "close");
                reserved = reserve(size);
            }
            arrivals.arrived();
            head.check();
            chain.doFilter(exchange);
            closing = large;
        } catch (IOException e) {
            throw e; // the connection is gone: the server closes its end
        } catch (Throwable e) { // Errors too: one that gets past here leaves the connection open without an answer
            answer(exchange, e, requestId);
            closing = large;
        } finally {
            finish.accept(exchange.getResponseCode());
            if (closing) {
                awaitClosed(exchange);
            }
            LARGE_HEADERS.release(reserved);
        }
    }

    private void commonHeaders(HttpExchange exchange, RequestHead head, String requestId) {
        var headers = exchange.getResponseHeaders();
        headers.set(REQUEST_ID, requestId);
        headers.set("X-Content-Type-Options", "nosniff");
        String path = exchange.getRequestURI().getRawPath();
        if (path != null && path.startsWith("/api/")) {
            headers.set("Cache-Control", "no-store");
        }
        // Request smuggling: a chunk size that overflows an int ends the body early for the JDK's parser, and what
        // follows would be read as the next request. So no request follows a chunked one.
        if (draining || head.isChunked() || head.wantsClose()) {
            headers.set("Connection", "close");
        }
    }

    private static int reserve(int headerSize) {
        int bytes = headerSize * HEAP_BYTES_PER_HEADER_BYTE;
        if (!LARGE_HEADERS.tryAcquire(bytes)) {
            throw Problem.unavailable("Too many requests with large headers are in flight.");
        }
        return bytes;
    }

    // The JDK's dispatcher keeps a request until it has seen its end, and may have hundreds of them to see. Only then
    // is the memory of a large one free. The one sign of it is that the connection is closed: its local address is the
    // wildcard then.
    private static void awaitClosed(HttpExchange exchange) {
        try {
            for (int i = 0; i < MAX_CLOSING_MILLIS && isOpen(exchange); i++) {
                Thread.sleep(1);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static boolean isOpen(HttpExchange exchange) {
        return !exchange.getLocalAddress().getAddress().isAnyLocalAddress();
    }

    private void answer(HttpExchange exchange, Throwable e, String requestId) throws IOException {
        if (exchange.getResponseCode() != -1) {
            LOG.log(System.Logger.Level.ERROR, "failed after the answer had begun, request " + requestId, e);
            throw new IOException("the answer had begun");
        }
        Problem problem = problems.apply(e);
        if (problem == null) {
            LOG.log(System.Logger.Level.ERROR, "unexpected, request " + requestId, e);
            problem = new Problem(500, "Something unexpected happened. The log says more: look for " + requestId + ".");
        }
        problem.response().send(exchange);
    }

    private static void log(HttpExchange exchange, String requestId, int status, long nanos) {
        String path = exchange.getRequestURI().getRawPath();
        boolean probe = path != null && path.startsWith("/health/"); // comes every second, and says nothing new
        ACCESS.log(
                probe ? System.Logger.Level.DEBUG : System.Logger.Level.INFO,
                "request",
                "method",
                exchange.getRequestMethod(),
                "path", // without the query, where someone may have put a token (RFC 6750 §5.3)
                path,
                "status",
                status,
                "micros",
                nanos / 1000,
                "requestId",
                requestId);
    }

    /** The client's where it is safe to echo and to log, else a new one. */
    private static String requestId(List<String> sent) {
        return sent.size() == 1 && ID.matcher(sent.getFirst()).matches()
                ? sent.getFirst()
                : HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    }

    /** From now on every answer closes its connection. */
    void drain() {
        draining = true;
    }

    /** Waits until no request is in flight. False where one still is after so many nanoseconds. */
    boolean awaitIdle(long nanos) throws InterruptedException {
        boolean idle = inFlight.tryAcquire(Integer.MAX_VALUE, nanos, TimeUnit.NANOSECONDS);
        if (idle) {
            inFlight.release(Integer.MAX_VALUE);
        }
        return idle;
    }
}
