/** The commands of an operator, which end when they are done. */
@NullMarked
package dev.latchkey.cli;

import org.jspecify.annotations.NullMarked;
