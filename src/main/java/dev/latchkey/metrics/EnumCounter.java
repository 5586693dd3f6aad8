package dev.latchkey.metrics;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Counts events by a kind, which is a label. All kinds are present from the start, so that rates see the first event. */
public final class EnumCounter<E extends Enum<E>> {
    private final Map<E, LongAdder> counts;

    public EnumCounter(Class<E> kinds) {
        counts = Stream.of(kinds.getEnumConstants())
                .collect(Collectors.toMap(kind -> kind, _ -> new LongAdder(), (a, _) -> a, ConcurrentHashMap::new));
    }

    public void increment(E kind) {
        counts.computeIfAbsent(kind, _ -> new LongAdder()).increment();
    }

    /** Passes on each kind in lower case, with its count. */
    void forEach(BiConsumer<String, LongAdder> consumer) {
        counts.forEach((kind, count) -> consumer.accept(kind.name().toLowerCase(Locale.ROOT), count));
    }
}
