package dev.latchkey.redis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Load;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class CleanUpTest {
    private final CountDownLatch mayEnd = new CountDownLatch(1);
    private final CleanUp cleanUp = new CleanUp(task -> Thread.ofVirtual().start(() -> {
        try {
            mayEnd.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        task.run();
    }));

    private void fail(Runnable undo) {
        assertThrows(
                IllegalStateException.class,
                () -> cleanUp.undoOnFailure(
                        () -> {
                            throw new IllegalStateException();
                        },
                        undo));
    }

    @Test
    void closing_waits_for_clean_ups() throws Exception {
        var undone = new CountDownLatch(1);
        fail(undone::countDown);
        Thread closing = Thread.ofVirtual().start(cleanUp::close);
        Load.await(() -> closing.getState() == Thread.State.TIMED_WAITING);
        mayEnd.countDown();
        closing.join();
        assertEquals(0, undone.getCount());
    }

    @Test
    void closing_does_not_wait_for_ever() {
        fail(() -> {});
        cleanUp.close();
        assertTrue(mayEnd.getCount() > 0);
    }
}
