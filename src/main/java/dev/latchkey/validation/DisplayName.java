package dev.latchkey.validation;

/** A text of one line that people choose and read, such as the name of a todo. */
public final class DisplayName {
    private DisplayName() {}

    /**
     * Returns the text, unchanged.
     *
     * @param maxLength in code points
     * @throws InvalidValueException if it is blank, is too long or has a control character
     */
    public static String check(String text, int maxLength) {
        String detail =
                "must have 1–" + maxLength + " characters, at least one of them not blank, and no control characters";
        if (text.isBlank()) {
            throw new InvalidValueException(FieldErrorCode.TOO_SHORT, detail, 1, maxLength);
        }
        if (text.codePointCount(0, text.length()) > maxLength) {
            throw new InvalidValueException(FieldErrorCode.TOO_LONG, detail, 1, maxLength);
        }
        if (text.codePoints().anyMatch(Character::isISOControl)) {
            throw new InvalidValueException(FieldErrorCode.CONTROL_CHARACTERS, detail);
        }
        return text;
    }
}
