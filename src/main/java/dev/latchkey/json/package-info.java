/** Reading and writing JSON. Only this package uses Jackson. */
@NullMarked
package dev.latchkey.json;

import org.jspecify.annotations.NullMarked;
