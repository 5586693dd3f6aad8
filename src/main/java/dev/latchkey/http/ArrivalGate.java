package dev.latchkey.http;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Runs each request on a virtual thread, and limits how many are arriving at the same time: those whose request line and
 * headers are not complete yet, or too large. The JDK's server reads them by itself, and what it allows takes 1.3 MB each.
 *
 * <p>Clients that are slow on purpose must not keep others out (slowloris). So if the limit is reached, the newest arrival
 * takes the place of the oldest one that waits for its client.
 */
final class ArrivalGate implements Executor, AutoCloseable {
    private static final int RETRY_MILLIS = 5;

    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Map<Thread, Boolean> arriving = new ConcurrentHashMap<>(); // a set, with a value that stays the same
    private final int limit; // at least 2
    private final Semaphore permits;
    private final Lock queue = new ReentrantLock();

    ArrivalGate(int limit) {
        this.limit = limit;
        permits = new Semaphore(limit);
    }

    @Override
    public void execute(Runnable exchange) {
        threads.execute(() -> {
            try {
                if (!permits.tryAcquire()) {
                    acquireSlowly();
                }
            } catch (InterruptedException _) {
                return; // the server has been stopped, and all connections are closed
            }
            arriving.put(Thread.currentThread(), true);
            try {
                exchange.run();
            } finally {
                arrived();
            }
        });
    }

    // one at a time: thousands of threads that look now and then would take all of the CPU
    private void acquireSlowly() throws InterruptedException {
        queue.lockInterruptibly();
        try {
            do {
                cutOffOldest();
            } while (!permits.tryAcquire(RETRY_MILLIS, TimeUnit.MILLISECONDS));
        } finally {
            queue.unlock();
        }
    }

    // A thread that waits has not received all of its bytes. If few of them do, the others are about to leave, and
    // there is no need to cut one off.
    private void cutOffOldest() {
        List<Thread> waiting = arriving.keySet().stream()
                .filter(thread -> thread.getState() == Thread.State.WAITING)
                .sorted(Comparator.comparingLong(Thread::threadId)) // in the order of their start
                .toList();
        if (waiting.size() >= limit / 2) {
            arriving.computeIfPresent(waiting.getFirst(), (thread, value) -> {
                thread.interrupt(); // closes the channel; not after arrived(), which waits for this to return
                return value;
            });
        }
    }

    /** Ends the arrival of the current thread's request: its request line and headers are complete, and not too large. */
    void arrived() {
        if (arriving.remove(Thread.currentThread()) != null) {
            var _ = Thread.interrupted(); // cut off a moment too late
            permits.release();
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
