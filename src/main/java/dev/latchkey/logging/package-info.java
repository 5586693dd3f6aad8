/** Log lines on standard output. */
@NullMarked
package dev.latchkey.logging;

import org.jspecify.annotations.NullMarked;
