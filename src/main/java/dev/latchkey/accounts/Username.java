package dev.latchkey.accounts;

import dev.latchkey.validation.FieldErrorCode;
import dev.latchkey.validation.InvalidValueException;
import java.util.Locale;
import java.util.regex.Pattern;

/** A username in canonical form: lower case, so that {@code Alice} and {@code alice} are the same user. */
public record Username(String text) {
    private static final int MIN_LENGTH = 3;
    private static final int MAX_LENGTH = 254; // of an e-mail address (RFC 5321 §4.5.3.1.3)
    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._@+-]{1,252}[A-Za-z0-9]");

    /** @throws InvalidValueException if the text is not a username */
    public Username {
        // Matched before folding: KELVIN SIGN (U+212A) folds to "k", and would be a second way to write a username.
        if (!FORM.matcher(text).matches()) {
            var code = text.length() < MIN_LENGTH
                    ? FieldErrorCode.TOO_SHORT
                    : text.length() > MAX_LENGTH ? FieldErrorCode.TOO_LONG : FieldErrorCode.MALFORMED;
            String detail = "must be 3–254 characters from a-z 0-9 . _ @ + -, the first and last a letter or digit";
            throw new InvalidValueException(code, detail, MIN_LENGTH, MAX_LENGTH);
        }
        text = text.toLowerCase(Locale.ROOT); // the Turkish locale would fold "I" to a dotless "ı"
    }

    /** Returns the canonical form of a username, or an empty text if there cannot be such a user. */
    public static String canonical(String name) {
        try {
            return new Username(name).text();
        } catch (IllegalArgumentException _) {
            return "";
        }
    }
}
