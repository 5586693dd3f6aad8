package dev.latchkey.redis;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Removes what a request has stored if a later step fails, so that nothing is left behind that no client knows. */
public final class CleanUp implements AutoCloseable {
    private static final Duration MAX_CLOSE_TIME = Duration.ofSeconds(1);

    private final Executor later;
    private final Semaphore notRunning = new Semaphore(Integer.MAX_VALUE);

    /** @param later runs what need not delay a response */
    public CleanUp(Executor later) {
        this.later = later;
    }

    /**
     * Runs a task now. The task may run twice: if it fails, it is repeated once, so that a single lost connection or
     * reply leaves nothing behind. A second failure is ignored.
     */
    public void run(Runnable task) {
        try {
            task.run();
        } catch (RedisUnavailableException _) {
            runLater(task);
        }
    }

    /** Returns the result of an action. If it fails, the undo runs later, so that the response does not wait for it. */
    public <T> T undoOnFailure(Supplier<T> action, Runnable undo) {
        try {
            return action.get();
        } catch (RuntimeException e) {
            runLater(undo);
            throw e;
        }
    }

    /** Reports whether a condition still holds. If it does not, or if that is unknown, the undo runs. */
    public boolean undoUnless(BooleanSupplier condition, Runnable undo) {
        boolean holds = undoOnFailure(condition::getAsBoolean, undo);
        if (!holds) {
            run(undo);
        }
        return holds;
    }

    private void runLater(Runnable task) {
        notRunning.acquireUninterruptibly();
        later.execute(() -> {
            try {
                ignoreFailure(task);
            } finally {
                notRunning.release();
            }
        });
    }

    /** Waits for the tasks that still run, at most a second. */
    @Override
    public void close() {
        try {
            var _ = notRunning.tryAcquire(Integer.MAX_VALUE, MAX_CLOSE_TIME.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /** Runs a task whose failure must not withhold what has already succeeded. */
    public static void ignoreFailure(Runnable task) {
        try {
            task.run();
        } catch (RedisUnavailableException | WrongTypeException _) {
            // What is left behind expires, or the next request removes it.
        }
    }
}
