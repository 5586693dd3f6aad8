package dev.latchkey.accounts;

import java.util.Locale;
import java.util.regex.Pattern;

/** A username in canonical form: lower case, so that {@code Alice} and {@code alice} are the same user. */
public record Username(String text) {
    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._@+-]{1,252}[A-Za-z0-9]");

    /** @throws IllegalArgumentException if the text is not a username; the message tells the client what is allowed */
    public Username {
        // Matched before folding: KELVIN SIGN (U+212A) folds to "k", and would be a second way to write a username.
        if (!FORM.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "must be 3–254 characters from a-z 0-9 . _ @ + -, the first and last a letter or digit");
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
