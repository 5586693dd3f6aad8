/** Redis commands and connections. Lettuce and netty are used nowhere else. */
@NullMarked
package dev.latchkey.redis;

import org.jspecify.annotations.NullMarked;
