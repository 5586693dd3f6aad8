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

    private final int minLength;
    private final Set<String> common = readCommon();

    /** @param minLength code points */
    public PasswordPolicy(int minLength) {
        this.minLength = minLength;
    }

    /**
     * The normal form: keyboards and systems write the same accented letter in different code points.
     *
     * @param username in any case; empty where none is known
     * @throws IllegalArgumentException with every fault, for the client to read
     */
    public String check(String password, String username) {
        String normal = normalize(password);
        String lower = normal.toLowerCase(Locale.ROOT);
        int length = normal.codePointCount(0, normal.length());
        List<String> faults = new ArrayList<>();
        if (length < minLength || length > MAX_LENGTH) {
            faults.add("must have " + minLength + " to " + MAX_LENGTH + " characters");
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

    static String normalize(String password) {
        return Normalizer.normalize(password, Normalizer.Form.NFC);
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
