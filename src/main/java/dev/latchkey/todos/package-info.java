/** The example of a protected API: todos that belong to one user. Every method takes the owner. */
@NullMarked
package dev.latchkey.todos;

import org.jspecify.annotations.NullMarked;
