/** Refuses work that cannot be done in time. */
@NullMarked
package dev.latchkey.overload;

import org.jspecify.annotations.NullMarked;
