package dev.latchkey.metrics;

import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** Counts durations in fixed buckets from 1 ms to 10 s. Recording takes no lock and allocates nothing. */
public final class Histogram {
    /** The upper bounds of the buckets, which include their bound. The last bucket has no bound. */
    private static final long[] BOUNDS_NANOS = LongStream.of(
                    1_000,
                    2_500,
                    5_000,
                    10_000,
                    25_000,
                    50_000,
                    100_000,
                    250_000,
                    500_000,
                    1_000_000,
                    2_500_000,
                    5_000_000,
                    10_000_000)
            .map(micros -> micros * 1_000)
            .toArray();

    private final LongAdder[] counts =
            Stream.generate(LongAdder::new).limit(BOUNDS_NANOS.length + 1).toArray(LongAdder[]::new);
    private final LongAdder sumNanos = new LongAdder();

    /** Counts the time from {@code startNanos}, a value of {@link System#nanoTime}, until now. */
    public void recordSince(long startNanos) {
        record(System.nanoTime() - startNanos);
    }

    /** Counts a duration in nanoseconds. */
    public void record(long nanos) {
        int bucket = 0;
        while (bucket < BOUNDS_NANOS.length && nanos > BOUNDS_NANOS[bucket]) {
            bucket++;
        }
        counts[bucket].increment();
        sumNanos.add(nanos);
    }

    /** Writes the samples: one per bucket, which also counts all smaller buckets, the sum and the count. */
    void writeTo(Samples samples) {
        long count = 0;
        for (int i = 0; i < counts.length; i++) {
            count += counts[i].sum();
            String bound = i < BOUNDS_NANOS.length ? Samples.number(seconds(BOUNDS_NANOS[i])) : "+Inf";
            samples.add("_bucket", "le", bound, (double) count);
        }
        samples.add("_sum", seconds(sumNanos.sum()));
        samples.add("_count", (double) count);
    }

    private static double seconds(long nanos) {
        return (double) nanos / Duration.ofSeconds(1).toNanos();
    }
}
