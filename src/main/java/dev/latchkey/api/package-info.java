/**
 * The HTTP API: {@link dev.latchkey.api.Routes} is the table of all routes, and the only place that decides who may
 * call what.
 */
@NullMarked
package dev.latchkey.api;

import org.jspecify.annotations.NullMarked;
