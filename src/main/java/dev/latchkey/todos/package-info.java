/** A small API a user, as an example of what tokens protect: every method takes its owner, nothing is found without. */
@NullMarked
package dev.latchkey.todos;

import org.jspecify.annotations.NullMarked;
