package dev.latchkey.metrics;

import java.util.SortedMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * The metrics of one service. Each method adds a series. Its labels are names and values, alternating; all series
 * of a metric have the same label names.
 *
 * <p>A value that a client chooses must not become a label: each new value takes memory here and in Prometheus until
 * the process ends.
 */
public final class Registry {
    /** The media type of {@link #text}. */
    public static final String MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";

    /** @param series writes the samples of each series, by its labels */
    private record Metric(String type, String help, SortedMap<String, Consumer<Samples>> series) {}

    private final ConcurrentNavigableMap<String, Metric> metrics = new ConcurrentSkipListMap<>();

    /** Adds a value that can rise and fall. */
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {
        add("gauge", name, help, samples -> samples.add("", value.getAsDouble()), labels);
    }

    /** Adds a value that only rises. Its name ends with {@code _total}. */
    public void counter(String name, String help, DoubleSupplier value, String... labels) {
        add("counter", name, help, samples -> samples.add("", value.getAsDouble()), labels);
    }

    /** Adds one counter per kind of event, with the kind in lower case as the value of the label. */
    public void counters(String name, String help, String label, EnumCounter<?> counter) {
        counter.forEach((kind, count) -> counter(name, help, count::sum, label, kind));
    }

    /** Adds the durations that a histogram has counted. */
    public void histogram(String name, String help, Histogram histogram, String... labels) {
        add("histogram", name, help, histogram::writeTo, labels);
    }

    /** Adds a number of events, and the sum of their values. */
    public void summary(String name, String help, LongSupplier count, DoubleSupplier sum, String... labels) {
        Consumer<Samples> series = samples -> {
            samples.add("_sum", sum.getAsDouble());
            samples.add("_count", (double) count.getAsLong());
        };
        add("summary", name, help, series, labels);
    }

    private void add(String type, String name, String help, Consumer<Samples> series, String... labels) {
        metrics.computeIfAbsent(name, _ -> new Metric(type, help, new ConcurrentSkipListMap<>()))
                .series()
                .put(Samples.labels(labels), series);
    }

    /** Returns all samples in Prometheus' text format 0.0.4, sorted by name and labels. */
    public String text() {
        var text = new StringBuilder(1 << 15);
        metrics.forEach((name, metric) -> {
            text.append("# HELP ")
                    .append(name)
                    .append(' ')
                    .append(Samples.escape(metric.help()))
                    .append('\n');
            text.append("# TYPE ")
                    .append(name)
                    .append(' ')
                    .append(metric.type())
                    .append('\n');
            metric.series().forEach((labels, series) -> series.accept(new Samples(text, name, labels)));
        });
        return text.toString();
    }
}
