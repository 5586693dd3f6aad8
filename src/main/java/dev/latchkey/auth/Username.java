package dev.latchkey.auth;

import java.util.Locale;
import java.util.regex.Pattern;

/** A user's name in its one form: folded to lower case, so that {@code Alice} and {@code alice} are one user. */
public record Username(String text) {
    private static final Pattern FORM = Pattern.compile("[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]");

    /** @throws IllegalArgumentException with what is allowed, for the client to read */
    public Username {
        text = text.toLowerCase(Locale.ROOT); // with the default locale, a Turkish server would fold I differently
        if (!FORM.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "must be 3 to 64 of a-z, 0-9, '.', '_' and '-', the first and the last a letter or digit");
        }
    }

    /** The one form of {@code name}; empty where there can be no such user. */
    static String canonical(String name) {
        try {
            return new Username(name).text();
        } catch (IllegalArgumentException _) {
            return "";
        }
    }

    @Override
    public String toString() {
        return text;
    }
}
