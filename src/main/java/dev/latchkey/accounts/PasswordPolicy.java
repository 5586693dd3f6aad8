package dev.latchkey.accounts;

import dev.latchkey.validation.FieldErrorCode;
import dev.latchkey.validation.InvalidValueException;
import dev.latchkey.validation.InvalidValueException.BrokenRule;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The rules for new passwords: their length, and that they are not easy to guess. There are no composition rules
 * (NIST SP 800-63B-4 §3.1.1.2).
 *
 * @param minLength in code points
 */
public record PasswordPolicy(int minLength) {
    /**
     * In code points. Long enough for any passphrase, and short enough that the cost of a hash does not depend on it.
     */
    public static final int MAX_LENGTH = 128;

    private static final int MAX_DECOMPOSITION = 4; // code points that NFC can combine into one

    private static final Set<String> COMMON = readCommon();

    /**
     * Returns the password in normalized form.
     *
     * @param username in upper or lower case; empty if unknown
     * @throws InvalidValueException with all rules that the password breaks
     */
    public String check(String password, String username) {
        String normal = normalize(password);
        String lower = normal.toLowerCase(Locale.ROOT);
        // NFC turns some code points into three, which must not count as three typed characters.
        int length = Math.min(length(password), length(normal));
        List<BrokenRule> broken = new ArrayList<>();
        if (length < minLength || length > MAX_LENGTH) {
            var code = length < minLength ? FieldErrorCode.TOO_SHORT : FieldErrorCode.TOO_LONG;
            String detail = "must have " + minLength + "–" + MAX_LENGTH + " characters";
            broken.add(new BrokenRule(code, detail, minLength, MAX_LENGTH));
        }
        if (hasControlCharacter(normal)) {
            broken.add(new BrokenRule(FieldErrorCode.CONTROL_CHARACTERS, "must not contain control characters"));
        }
        if (lower.equals(username.toLowerCase(Locale.ROOT))) {
            broken.add(new BrokenRule(FieldErrorCode.IS_USERNAME, "must not be the username"));
        }
        if (COMMON.contains(lower)) {
            String detail = "must not be one of the most common passwords";
            broken.add(new BrokenRule(FieldErrorCode.COMMON_PASSWORD, detail));
        }
        if (!broken.isEmpty()) {
            throw new InvalidValueException(broken);
        }
        return normal;
    }

    /**
     * Returns the password in NFC, because keyboards and systems write the same accented letter as different code
     * points.
     *
     * @throws InvalidValueException if the text is too long for a password
     */
    public static String normalize(String password) {
        // Normalizing takes quadratic time for a run of combining marks, and would stop all token checks.
        if (length(password) > MAX_LENGTH * MAX_DECOMPOSITION) {
            String detail = "must have at most " + MAX_LENGTH + " characters";
            throw new InvalidValueException(FieldErrorCode.TOO_LONG, detail, 0, MAX_LENGTH);
        }
        return Normalizer.normalize(password, Normalizer.Form.NFC);
    }

    /** Reports whether the text has a control character. HMAC ignores NULs at the end of a password (RFC 2104 §2). */
    static boolean hasControlCharacter(String password) {
        return password.chars().anyMatch(Character::isISOControl);
    }

    private static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    private static Set<String> readCommon() {
        try (InputStream list = PasswordPolicy.class.getResourceAsStream("common-passwords.txt")) {
            return new String(Objects.requireNonNull(list).readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.startsWith("#")) // the list starts with its source and licence
                    .collect(Collectors.toUnmodifiableSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
