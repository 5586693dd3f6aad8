package dev.latchkey.auth;

import java.text.Normalizer;
import java.util.Locale;

/**
 * Which passwords may be chosen: by length alone, no rules of composition (NIST SP 800-63B-4 §3.1.1.2).
 *
 * @param minLength code points
 */
public record PasswordPolicy(int minLength) {
    /** Code points. Long enough for any passphrase, short enough to keep a hash's cost independent of the password. */
    public static final int MAX_LENGTH = 128;

    /**
     * The normal form: keyboards and systems write the same accented letter in different code points.
     *
     * @throws IllegalArgumentException with what is allowed, for the client to read
     */
    public String check(String password) {
        String normal = normalize(password);
        int length = normal.codePointCount(0, normal.length());
        if (length < minLength || length > MAX_LENGTH) {
            throw new IllegalArgumentException("must have " + minLength + " to " + MAX_LENGTH + " characters");
        }
        return normal;
    }

    /** Whether the password is the name itself, in any case. */
    public static boolean isName(String password, Username username) {
        return password.toLowerCase(Locale.ROOT).equals(username.text());
    }

    public static String normalize(String password) {
        return Normalizer.normalize(password, Normalizer.Form.NFC);
    }
}
