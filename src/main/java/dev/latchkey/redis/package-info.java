/** Redis commands and connections. Only this package uses Lettuce and netty. */
@NullMarked
package dev.latchkey.redis;

import org.jspecify.annotations.NullMarked;
