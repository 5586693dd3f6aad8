package dev.latchkey.auth;

import java.util.Locale;
import java.util.regex.Pattern;

/** A user's name in its one form: folded to lower case, so that {@code Alice} and {@code alice} are one user. */
public record Username(String text) {
    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{1,62}[A-Za-z0-9]");

    private static final int MAX_STORED_LENGTH = 254; // as an e-mail address (RFC 5321 §4.5.3.1.3)

    /** @throws IllegalArgumentException with what is allowed, for the client to read */
    public Username {
        // before folding: KELVIN SIGN (U+212A) folds to k, and would be another way to write a user's name
        if (!FORM.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "must be 3 to 64 of a-z, 0-9, '.', '_' and '-', the first and the last a letter or digit");
        }
        text = text.toLowerCase(Locale.ROOT); // with the default locale, a Turkish server would fold I differently
    }

    /** The one form of {@code name}; empty where there can be no such user. */
    static String canonical(String name) {
        try {
            return new Username(name).text();
        } catch (IllegalArgumentException _) {
            return "";
        }
    }

    /**
     * Reports whether the value of a token key can be a username, of this service or another one: 1–254 printable ASCII
     * characters without spaces. Anything else would not survive the header that names the user to the upstream.
     */
    static boolean isPlausible(String value) {
        for (int i = 0; i < value.length(); i++) {
            if (value.charAt(i) <= ' ' || value.charAt(i) >= 0x7f) {
                return false;
            }
        }
        return !value.isEmpty() && value.length() <= MAX_STORED_LENGTH;
    }

    @Override
    public String toString() {
        return text;
    }
}
