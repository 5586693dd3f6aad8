package dev.latchkey.overload;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.SequencedMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Limits how much expensive work runs at the same time. Other work waits, and is refused after it has waited too long.
 * Refusing it immediately would be worse, because clients would retry immediately.
 *
 * <p>Those who wait take turns, so that one of them cannot keep out the others with a queue of work.
 */
public final class Bulkhead {
    private static final Duration MAX_WAIT = Duration.ofSeconds(3); // most clients have given up by then

    private final Duration maxWait;
    private int free;
    // The queue of each owner that waits, in the order of their next turns. Each semaphore gets one permit.
    private final SequencedMap<String, Queue<Semaphore>> queues = new LinkedHashMap<>();

    /** Creates a bulkhead in which work waits at most 3 seconds. */
    public Bulkhead(int permits) {
        this(permits, MAX_WAIT);
    }

    public Bulkhead(int permits, Duration maxWait) {
        free = permits;
        this.maxWait = maxWait;
    }

    /** Returns how much work is waiting. */
    public synchronized int waiting() {
        return queues.values().stream().mapToInt(Queue::size).sum();
    }

    /** Room for one piece of work. Closing it makes room for the next. */
    @FunctionalInterface
    public interface Permit extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Waits until there is room for work.
     *
     * @param owner of the work, for example an address; owners take turns
     * @throws OverloadedException if that takes too long
     */
    public Permit enter(String owner) {
        var turn = new Semaphore(0);
        synchronized (this) {
            if (free > 0) {
                free--;
                turn.release();
            } else {
                queues.computeIfAbsent(owner, _ -> new ArrayDeque<>()).add(turn);
            }
        }
        try {
            if (!turn.tryAcquire(maxWait.toMillis(), TimeUnit.MILLISECONDS) && leaveQueue(owner, turn)) {
                throw new OverloadedException("waited longer than " + maxWait);
            }
        } catch (InterruptedException _) {
            if (!leaveQueue(owner, turn)) {
                next(owner);
            }
            Thread.currentThread().interrupt();
            throw new OverloadedException("interrupted");
        }
        return () -> next(owner);
    }

    // Reports whether the work was still waiting. Otherwise its turn has just come.
    private synchronized boolean leaveQueue(String owner, Semaphore turn) {
        Queue<Semaphore> queue = queues.getOrDefault(owner, new ArrayDeque<>());
        boolean wasWaiting = queue.remove(turn);
        if (queue.isEmpty()) {
            queues.remove(owner);
        }
        return wasWaiting;
    }

    // The owner whose work has ended goes to the end, behind those who came while it ran.
    private synchronized void next(String owner) {
        Queue<Semaphore> own = queues.remove(owner);
        if (own != null) {
            queues.put(owner, own);
        }
        Map.Entry<String, Queue<Semaphore>> first = queues.firstEntry();
        if (first == null) {
            free++;
            return;
        }
        first.getValue().remove().release();
        if (first.getValue().isEmpty()) {
            queues.remove(first.getKey());
        }
    }
}
