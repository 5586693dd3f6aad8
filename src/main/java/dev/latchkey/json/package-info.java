/** Reading and writing JSON. Jackson is used nowhere else. */
@NullMarked
package dev.latchkey.json;

import org.jspecify.annotations.NullMarked;
