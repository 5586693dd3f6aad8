/** Measurements, and the text format in which Prometheus reads them. */
@NullMarked
package dev.latchkey.metrics;

import org.jspecify.annotations.NullMarked;
