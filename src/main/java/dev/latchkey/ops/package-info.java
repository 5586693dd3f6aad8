/** What operators look at: health and log lines. */
@NullMarked
package dev.latchkey.ops;

import org.jspecify.annotations.NullMarked;
