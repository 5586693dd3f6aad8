package dev.latchkey.metrics;

import java.util.List;
import java.util.SortedMap;
import java.util.StringJoiner;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

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

    /**
     * A line of a series.
     *
     * @param suffix of the metric's name
     * @param label one more label, as {@link #labels} returns it; empty if there is none
     */
    record Sample(String suffix, String label, double value) {}

    /** @param series the samples of each series, by its labels */
    private record Metric(String type, String help, SortedMap<String, Supplier<List<Sample>>> series) {}

    private final ConcurrentNavigableMap<String, Metric> metrics = new ConcurrentSkipListMap<>();

    /** Adds a value that can rise and fall. */
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {
        add("gauge", name, help, () -> List.of(new Sample("", "", value.getAsDouble())), labels);
    }

    /** Adds a value that only rises. Its name ends with {@code _total}. */
    public void counter(String name, String help, DoubleSupplier value, String... labels) {
        add("counter", name, help, () -> List.of(new Sample("", "", value.getAsDouble())), labels);
    }

    /** Adds the durations that a histogram has counted. */
    public void histogram(String name, String help, Histogram histogram, String... labels) {
        add("histogram", name, help, histogram::samples, labels);
    }

    /** Adds a number of events, and the sum of their values. */
    public void summary(String name, String help, LongSupplier count, DoubleSupplier sum, String... labels) {
        Supplier<List<Sample>> samples = () -> List.of(
                new Sample("_sum", "", sum.getAsDouble()), new Sample("_count", "", (double) count.getAsLong()));
        add("summary", name, help, samples, labels);
    }

    private void add(String type, String name, String help, Supplier<List<Sample>> samples, String... labels) {
        metrics.computeIfAbsent(name, _ -> new Metric(type, help, new ConcurrentSkipListMap<>()))
                .series()
                .put(labels(labels), samples);
    }

    /**
     * Returns all samples in Prometheus' text format 0.0.4, sorted by name and labels. Makes one text at a time, because
     * that takes several times its memory.
     */
    public synchronized String text() {
        var text = new StringBuilder(1 << 15);
        metrics.forEach((name, metric) -> {
            text.append("# HELP %s %s\n".formatted(name, escape(metric.help())));
            text.append("# TYPE %s %s\n".formatted(name, metric.type()));
            metric.series().forEach((labels, samples) -> {
                for (Sample sample : samples.get()) {
                    String separator = labels.isEmpty() || sample.label().isEmpty() ? "" : ",";
                    String all = labels + separator + sample.label();
                    text.append(name).append(sample.suffix());
                    text.append(all.isEmpty() ? "" : '{' + all + '}');
                    text.append(' ').append(number(sample.value())).append('\n');
                }
            });
        });
        return text.toString();
    }

    /** @param namesAndValues alternating */
    static String labels(String... namesAndValues) {
        var labels = new StringJoiner(",");
        for (int i = 0; i < namesAndValues.length; i += 2) {
            String value = escape(namesAndValues[i + 1]).replace("\"", "\\\"");
            labels.add(namesAndValues[i] + "=\"" + value + '"');
        }
        return labels.toString();
    }

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\n", "\\n");
    }

    static String number(double value) {
        long whole = (long) value;
        return whole == value ? Long.toString(whole) : Double.toString(value);
    }
}
