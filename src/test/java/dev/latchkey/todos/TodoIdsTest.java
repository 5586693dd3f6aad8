package dev.latchkey.todos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class TodoIdsTest {
    private static final Instant TIME = Instant.parse("2026-03-19T12:00:00.123456Z");

    @Test
    void an_id_is_a_version_7_uuid_that_starts_with_the_time() {
        UUID id = UUID.fromString(new TodoIds(() -> TIME).next());
        assertEquals(7, id.version());
        assertEquals(2, id.variant());
        assertEquals(TIME.toEpochMilli(), id.getMostSignificantBits() >>> 16);
    }

    @Test
    void ids_sort_in_order_of_creation_even_if_the_clock_stands_still_or_goes_back() {
        long[] ticks = {0};
        var ids = new TodoIds(() -> TIME.minusMillis(ticks[0]++ / 1000));
        List<String> created = Stream.generate(ids::next).limit(10_000).toList();
        assertEquals(created.stream().sorted().distinct().toList(), created);
        assertTrue(IntStream.range(0, 10)
                .mapToObj(created::get)
                .allMatch(id -> TodoIds.check(id).equals(id)));
    }
}
