/** Random ids and digests as text. */
@NullMarked
package dev.latchkey.encoding;

import org.jspecify.annotations.NullMarked;
