/** What refuses work that cannot be done in time. Imports nothing of ours. */
@NullMarked
package dev.latchkey.overload;

import org.jspecify.annotations.NullMarked;
