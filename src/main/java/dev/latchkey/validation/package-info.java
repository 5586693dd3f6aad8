/** What is wrong with the value of a field, for programs and for people. */
@NullMarked
package dev.latchkey.validation;

import org.jspecify.annotations.NullMarked;
