/** From one {@code REDIS_URL} to commands. The only place that opens connections. Imports nothing of ours. */
@NullMarked
package dev.latchkey.redis;

import org.jspecify.annotations.NullMarked;
