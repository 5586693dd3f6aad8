package dev.latchkey.metrics;

import dev.latchkey.metrics.Registry.Sample;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/** Counts durations in fixed buckets from 1 ms to 10 s. Recording takes no lock and allocates nothing. */
public final class Histogram {
    /** The upper bounds of the buckets, which include their bound. The last bucket has no bound. */
    private static final double[] BOUNDS = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

    private static final double NANOS_PER_SECOND = Duration.ofSeconds(1).toNanos();

    private final LongAdder[] counts =
            Stream.generate(LongAdder::new).limit(BOUNDS.length + 1).toArray(LongAdder[]::new);
    private final LongAdder sumNanos = new LongAdder();

    /** Counts the time from {@code startNanos}, a value of {@link System#nanoTime}, until now. */
    public void recordSince(long startNanos) {
        record(System.nanoTime() - startNanos);
    }

    /** Counts a duration in nanoseconds. */
    public void record(long nanos) {
        double seconds = nanos / NANOS_PER_SECOND;
        int bucket = 0;
        while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]) {
            bucket++;
        }
        counts[bucket].increment();
        sumNanos.add(nanos);
    }

    /** Returns one sample per bucket, which also counts all smaller buckets, the sum and the count. */
    List<Sample> samples() {
        List<Sample> samples = new ArrayList<>();
        double count = 0;
        for (int i = 0; i < counts.length; i++) {
            count += counts[i].sum();
            String bound = i < BOUNDS.length ? Double.toString(BOUNDS[i]) : "+Inf";
            samples.add(new Sample("_bucket", Registry.labels("le", bound), count));
        }
        samples.add(new Sample("_sum", "", sumNanos.sum() / NANOS_PER_SECOND));
        samples.add(new Sample("_count", "", count));
        return samples;
    }
}
