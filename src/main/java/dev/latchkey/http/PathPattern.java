package dev.latchkey.http;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A path such as {@code /api/todos/{id}}, with at most one placeholder, which is the last segment. A placeholder such
 * as {@code {*rest}} stands for the whole rest of the path, whatever its characters.
 *
 * <p>It is compared with the raw path, without percent-decoding. The JDK's own contexts match by prefix after
 * decoding, so that {@code /api/auth/meX} or {@code /api%2Fauth} would reach a handler.
 */
public record PathPattern(String text) {
    // Unreserved characters only (RFC 3986 §2.3), so that escapes, slashes and dot segments never match.
    private static final Pattern PARAMETER = Pattern.compile("[A-Za-z0-9_-]{1,128}");

    public PathPattern {
        int brace = text.indexOf('{');
        boolean isLastSegment = brace == text.lastIndexOf('/') + 1 && text.endsWith("}");
        if (!text.startsWith("/") || (brace >= 0 && !isLastSegment)) {
            throw new IllegalArgumentException("not a path pattern: " + text);
        }
    }

    /** Reports whether the pattern has no placeholder. */
    boolean isExact() {
        return !text.endsWith("}");
    }

    /** Returns the value of the placeholder in {@code rawPath}, or null if the path does not match. */
    @Nullable
    String match(String rawPath) {
        int prefix = text.indexOf('{');
        if (prefix < 0 || !rawPath.regionMatches(0, text, 0, prefix)) {
            return null;
        }
        String value = rawPath.substring(prefix);
        boolean isRest = text.startsWith("{*", prefix);
        return isRest || PARAMETER.matcher(value).matches() ? value : null;
    }
}
