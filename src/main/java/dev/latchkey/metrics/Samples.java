package dev.latchkey.metrics;

import java.util.StringJoiner;

/** Writes the samples of one series, one per line. */
final class Samples {
    private final StringBuilder out;
    private final String name;
    private final String labels;

    /** @param labels as {@link #labels} returns them */
    Samples(StringBuilder out, String name, String labels) {
        this.out = out;
        this.name = name;
        this.labels = labels;
    }

    void add(String suffix, double value) {
        add(suffix, labels, value);
    }

    /** Writes a sample with one more label, whose value needs no escapes. */
    void add(String suffix, String label, String labelValue, double value) {
        String separator = labels.isEmpty() ? "" : ",";
        add(suffix, labels + separator + label + "=\"" + labelValue + '"', value);
    }

    private void add(String suffix, String allLabels, double value) {
        out.append(name).append(suffix);
        if (!allLabels.isEmpty()) {
            out.append('{').append(allLabels).append('}');
        }
        out.append(' ').append(number(value)).append('\n');
    }

    /** @param namesAndValues of the labels, alternating */
    static String labels(String... namesAndValues) {
        var labels = new StringJoiner(",");
        for (int i = 0; i < namesAndValues.length; i += 2) {
            String value = escape(namesAndValues[i + 1]).replace("\"", "\\\"");
            labels.add(namesAndValues[i] + "=\"" + value + '"');
        }
        return labels.toString();
    }

    static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\n", "\\n");
    }

    static String number(double value) {
        long whole = (long) value;
        return whole == value ? Long.toString(whole) : Double.toString(value);
    }
}
