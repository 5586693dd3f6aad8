package dev.latchkey.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The text format (https://prometheus.io/docs/instrumenting/exposition_formats). */
class RegistryTest {
    private final Registry registry = new Registry();

    @Test
    void metrics_and_series_are_sorted_and_have_one_help_and_type() {
        registry.gauge("b", "The second.", () -> 0.5, "x", "2", "y", "");
        registry.gauge("b", "The second.", () -> -1, "x", "1", "y", "z");
        registry.gauge("a", "The first.", () -> 1);
        assertEquals("""
                # HELP a The first.
                # TYPE a gauge
                a 1
                # HELP b The second.
                # TYPE b gauge
                b{x="1",y="z"} -1
                b{x="2",y=""} 0.5
                """, registry.text());
    }

    @Test
    void special_characters_of_help_and_labels_are_escaped() {
        registry.gauge("a", "back\\slash, \"quotes\" and\nline", () -> 1, "x", "back\\slash, \"quotes\" and\nline");
        assertEquals("""
                # HELP a back\\\\slash, "quotes" and\\nline
                # TYPE a gauge
                a{x="back\\\\slash, \\"quotes\\" and\\nline"} 1
                """, registry.text());
    }

    @Test
    void numbers_are_whole_or_have_a_fraction_or_an_exponent() {
        registry.gauge("a", "Big.", () -> 1L << 53);
        registry.gauge("b", "Small.", () -> 1e-9);
        registry.gauge("c", "Absent.", () -> Double.NaN);
        assertEquals("a 9007199254740992\nb 1.0E-9\nc NaN\n", registry.text().replaceAll("#.*\n", ""));
    }

    @Test
    void a_summary_has_a_sum_and_a_count() {
        registry.summary("a", "Pauses.", () -> 2, () -> 0.25, "x", "1");
        assertEquals("""
                # HELP a Pauses.
                # TYPE a summary
                a_sum{x="1"} 0.25
                a_count{x="1"} 2
                """, registry.text());
    }

    @Test
    void a_bucket_of_a_histogram_counts_its_bound_and_everything_below() {
        var histogram = new Histogram();
        registry.histogram("a", "Durations.", histogram, "x", "1");
        for (Duration duration : new Duration[] {
            Duration.ofMillis(1), Duration.ofMillis(1).plusNanos(1), Duration.ofSeconds(10), Duration.ofSeconds(11)
        }) {
            histogram.record(duration.toNanos());
        }
        assertEquals("""
                # HELP a Durations.
                # TYPE a histogram
                a_bucket{x="1",le="0.001"} 1
                a_bucket{x="1",le="0.0025"} 2
                a_bucket{x="1",le="0.005"} 2
                a_bucket{x="1",le="0.01"} 2
                a_bucket{x="1",le="0.025"} 2
                a_bucket{x="1",le="0.05"} 2
                a_bucket{x="1",le="0.1"} 2
                a_bucket{x="1",le="0.25"} 2
                a_bucket{x="1",le="0.5"} 2
                a_bucket{x="1",le="1.0"} 2
                a_bucket{x="1",le="2.5"} 2
                a_bucket{x="1",le="5.0"} 2
                a_bucket{x="1",le="10.0"} 3
                a_bucket{x="1",le="+Inf"} 4
                a_sum{x="1"} 21.002000001
                a_count{x="1"} 4
                """, registry.text());
    }
}
