package dev.latchkey.http;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Runs each request on a virtual thread, and limits how many requests are arriving at the same time. A request is
 * arriving until its request line and headers are complete and known not to be too large. The JDK's server reads them
 * before any code of ours runs, and one request can take 1.3 MB of heap.
 *
 * <p>Deliberately slow clients must not keep others out (slowloris). If the limit is reached, the newest request
 * therefore takes the place of the oldest request that waits for its client.
 */
final class ArrivalGate implements Executor, AutoCloseable {
    private static final int RETRY_MILLIS = 5;

    private final Map<Thread, Boolean> arriving = new ConcurrentHashMap<>(); // a set
    private final int limit; // at least 2
    private final Semaphore permits;

    ArrivalGate(int limit) {
        this.limit = limit;
        permits = new Semaphore(limit);
    }

    @Override
    public void execute(Runnable exchange) {
        // The JDK's executor would also keep a set of all threads.
        var _ = Thread.startVirtualThread(() -> {
            try {
                if (!permits.tryAcquire()) {
                    acquireSlowly();
                }
            } catch (InterruptedException _) {
                return; // the server is stopped, and has closed all connections
            }
            arriving.put(Thread.currentThread(), true);
            try {
                exchange.run();
            } finally {
                arrived();
            }
        });
    }

    // One thread at a time, because thousands of polling threads would use all of the CPU.
    private synchronized void acquireSlowly() throws InterruptedException {
        do {
            cutOffOldest();
        } while (!permits.tryAcquire(RETRY_MILLIS, TimeUnit.MILLISECONDS));
    }

    // A waiting thread waits for its client, because all other waits have a timeout. If only few threads wait, the
    // others are about to finish, and no request needs to be cut off.
    private void cutOffOldest() {
        List<Thread> waiting = arriving.keySet().stream()
                .filter(thread -> thread.getState() == Thread.State.WAITING)
                .sorted(Comparator.comparingLong(Thread::threadId)) // oldest first
                .toList();
        if (waiting.size() >= limit / 2) {
            arriving.computeIfPresent(waiting.getFirst(), (thread, value) -> {
                thread.interrupt(); // closes the channel; never after arrived(), which waits for this call
                return value;
            });
        }
    }

    /**
     * Must be called when the request of the current thread is complete up to its headers, and these are not too
     * large.
     */
    void arrived() {
        if (arriving.remove(Thread.currentThread()) != null) {
            var _ = Thread.interrupted(); // it was cut off just now, but has arrived
            permits.release();
        }
    }

    /** Returns how many requests are arriving. */
    int arriving() {
        return arriving.size();
    }

    /** Cuts off the requests that are arriving. */
    @Override
    public void close() {
        arriving.keySet().forEach(Thread::interrupt);
    }
}
