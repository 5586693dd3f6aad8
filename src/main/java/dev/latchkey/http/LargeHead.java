package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;

/**
 * The heap that one request's head takes, if the head is large. It is reserved from a budget, and given back after
 * the connection is closed.
 *
 * <p>The JDK's dispatcher keeps a request until it has processed its end, which can be much later. For a request with
 * a large head, the connection is therefore closed after the response, and this object waits for that.
 */
final class LargeHead implements AutoCloseable {
    // Up to this size, the memory of a head is part of what ServerLimits plans for each connection. The JDK keeps a
    // request line five times, and a short header takes about 300 bytes.
    private static final int SMALL_SIZE = 4096;
    private static final int HEAP_BYTES_PER_BYTE = 8;
    private static final int MAX_CLOSING_MILLIS = 5000;
    private static final MemoryBudget BUDGET =
            new MemoryBudget(Runtime.getRuntime().maxMemory() / 8);

    private final HttpExchange exchange;
    private int reservedBytes;
    private boolean waitForClose = true;

    LargeHead(HttpExchange exchange) {
        this.exchange = exchange;
    }

    /** @throws Problem 431 if the head is too large, 503 if too many large heads are in flight */
    void reserve(RequestHead head) {
        int size = head.size();
        waitForClose = size > SMALL_SIZE;
        if (waitForClose) {
            exchange.getResponseHeaders().set("Connection", "close");
            int bytes = size * HEAP_BYTES_PER_BYTE;
            if (!BUDGET.tryAcquire(bytes)) {
                throw Problem.unavailable("Too many requests with large headers are in flight.");
            }
            reservedBytes = bytes;
        }
    }

    /** Skips waiting for the connection, because it is already lost. */
    void connectionLost() {
        waitForClose = false;
    }

    @Override
    public void close() {
        try {
            for (int i = 0; waitForClose && i < MAX_CLOSING_MILLIS && isOpen(); i++) {
                Thread.sleep(1);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        if (reservedBytes > 0) { // even a release of 0 would write to memory that all threads share
            BUDGET.release(reservedBytes);
        }
    }

    // The local address of a closed channel is the wildcard address.
    private boolean isOpen() {
        return !exchange.getLocalAddress().getAddress().isAnyLocalAddress();
    }
}
