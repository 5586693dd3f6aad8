package dev.latchkey.validation;

import java.util.Locale;

/**
 * What is wrong with a field. Clients rely on these codes, which they receive as {@link #toString}: to add, rename or
 * remove one is a breaking change.
 */
public enum FieldErrorCode {
    REQUIRED,
    UNKNOWN,
    REPEATED,
    WRONG_TYPE,
    TOO_SHORT,
    TOO_LONG,
    OUT_OF_RANGE,
    MALFORMED,
    CONTROL_CHARACTERS,
    COMMON_PASSWORD,
    IS_USERNAME;

    /** Returns the name in lower case. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
