package dev.latchkey.auth;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.UUID;
import java.util.regex.Pattern;

/** What a token looks like, and what of it Redis gets to see. */
public enum TokenStorage {
    /** A random UUID (RFC 9562 §5.4) with 122 random bits, which stands in Redis as it is. */
    PLAIN {
        @Override
        String newToken() {
            return UUID.randomUUID().toString();
        }

        // by hand, for this is done at every request: a pattern takes several times as long
        @Override
        boolean isWellFormed(String token) {
            if (token.length() != UUID_LENGTH) {
                return false;
            }
            for (int i = 0; i < UUID_LENGTH; i++) {
                char c = token.charAt(i);
                boolean dash = i == 8 || i == 13 || i == 18 || i == 23;
                boolean hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                if (dash ? c != '-' : !hex) {
                    return false;
                }
            }
            return true;
        }

        @Override
        String suffix(String token) {
            return token;
        }
    },

    /** 256 random bits, base64url. Redis gets the SHA-256 alone: whoever reads the database holds no live token. */
    HASHED {
        @Override
        String newToken() {
            byte[] bytes = new byte[32];
            RANDOM.nextBytes(bytes);
            return BASE64URL.encodeToString(bytes);
        }

        @Override
        boolean isWellFormed(String token) {
            return BASE64URL_32_BYTES.matcher(token).matches();
        }

        // neither salted nor slow: 256 random bits cannot be guessed, whatever a guess costs
        @Override
        String suffix(String token) {
            return sha256(token);
        }
    };

    private static final int UUID_LENGTH = 36;
    private static final Pattern BASE64URL_32_BYTES = Pattern.compile("[A-Za-z0-9_-]{43}");
    private static final Base64.Encoder BASE64URL = Base64.getUrlEncoder().withoutPadding();
    private static final SecureRandom RANDOM = new SecureRandom();

    abstract String newToken();

    /** Whether it has the one form that tokens have. Spares Redis the rest. */
    abstract boolean isWellFormed(String token);

    /** What follows {@code tokens:} in the key. */
    abstract String suffix(String token);

    /** As base64url without padding. */
    static String sha256(String text) {
        try {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            return BASE64URL.encodeToString(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
