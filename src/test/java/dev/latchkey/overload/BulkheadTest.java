package dev.latchkey.overload;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.latchkey.testing.Load;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class BulkheadTest {
    private final Bulkhead bulkhead = new Bulkhead(1, Duration.ofMinutes(1));
    private final List<String> order = Collections.synchronizedList(new ArrayList<>());

    private Thread queue(String owner) {
        int before = bulkhead.waiting();
        Thread thread = Thread.startVirtualThread(() -> {
            try (var _ = bulkhead.enter(owner)) {
                order.add(owner);
            }
        });
        Load.await(() -> bulkhead.waiting() == before + 1);
        return thread;
    }

    @Test
    void owners_take_turns_and_one_who_comes_while_another_works_is_next() throws Exception {
        var permit = bulkhead.enter("a");
        List<Thread> threads = new ArrayList<>();
        for (String owner : List.of("a", "a", "a", "b", "b", "c")) {
            threads.add(queue(owner));
        }
        permit.close();
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of("b", "c", "a", "b", "a", "a"), order);
    }

    @Test
    void work_that_has_waited_too_long_is_refused_and_takes_no_room() {
        var impatient = new Bulkhead(1, Duration.ofMillis(1));
        try (var _ = impatient.enter("a")) {
            assertThrows(OverloadedException.class, () -> impatient.enter("a"));
            assertThrows(OverloadedException.class, () -> impatient.enter("b"));
        }
        assertEquals(0, impatient.waiting());
        impatient.enter("b").close();
    }

    @Test
    void interrupted_work_takes_no_room() throws Exception {
        var permit = bulkhead.enter("a");
        Thread waiting = queue("b");
        waiting.interrupt();
        waiting.join();
        assertEquals(List.of(), order);
        permit.close();
        bulkhead.enter("c").close();
    }
}
