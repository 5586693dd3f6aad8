package dev.latchkey.auth;

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
 * Which passwords may be chosen: by length, and none that is guessed first. No rules of composition (NIST SP 800-63B-4
 * §3.1.1.2).
 */
public final class PasswordPolicy {
    /** Code points. Long enough for any passphrase, short enough to keep a hash's cost independent of the password. */
    public static final int MAX_LENGTH = 128;

    private static final int MAX_DECOMPOSITION = 4; // code points that NFC can make one of

    private final int minLength;
    private final Set<String> common = readCommon();

    /** @param minLength code points */
    public PasswordPolicy(int minLength) {
        this.minLength = minLength;
    }

    /**
     * Returns the password in its normal form.
     *
     * @param username in any case; empty where none is known
     * @throws IllegalArgumentException with every fault, for the client to read
     */
    public String check(String password, String username) {
        String normal = normalize(password);
        String lower = normal.toLowerCase(Locale.ROOT);
        // NFC makes three code points of some, which must not count as three typed characters
        int length = Math.min(length(password), length(normal));
        List<String> faults = new ArrayList<>();
        if (length < minLength || length > MAX_LENGTH) {
            faults.add("must have " + minLength + " to " + MAX_LENGTH + " characters");
        }
        if (hasControlCharacter(normal)) {
            faults.add("must not have control characters");
        }
        if (lower.equals(username.toLowerCase(Locale.ROOT))) {
            faults.add("must not be the username");
        }
        if (common.contains(lower)) {
            faults.add("must not be one of the most common passwords");
        }
        if (!faults.isEmpty()) {
            throw new IllegalArgumentException(String.join(", ", faults));
        }
        return normal;
    }

    /**
     * Returns the password in NFC: keyboards and systems write the same accented letter in different code points.
     *
     * @throws IllegalArgumentException if it is too long to be a password, with the reason for the client to read
     */
    static String normalize(String password) {
        // normalizing is quadratic in a run of combining marks, and would stop all token checks
        if (length(password) > MAX_LENGTH * MAX_DECOMPOSITION) {
            throw new IllegalArgumentException("must have at most " + MAX_LENGTH + " characters");
        }
        return Normalizer.normalize(password, Normalizer.Form.NFC);
    }

    /** Reports whether no password can be like this: HMAC cannot tell a NUL at the end from none (RFC 2104 §2). */
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
                    .filter(line -> !line.startsWith("#")) // its source and licence
                    .collect(Collectors.toUnmodifiableSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
