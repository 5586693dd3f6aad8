package dev.latchkey.http;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A path such as {@code /api/todos/{id}}, with at most one placeholder, as its last segment. It is compared with the raw
 * path, before any percent-decoding: the JDK's own contexts match by prefix and decode first, so that {@code
 * /api/auth/meX} or {@code /api%2Fauth} would reach a handler.
 */
public record PathPattern(String text) {
    // unreserved characters only (RFC 3986 §2.3): no escape, no slash, no dot segment ever counts as an identifier
    private static final Pattern PARAMETER = Pattern.compile("[A-Za-z0-9_-]{1,128}");

    public PathPattern {
        int brace = text.indexOf('{');
        boolean lastSegment = brace == text.lastIndexOf('/') + 1 && text.endsWith("}");
        if (!text.startsWith("/") || (brace >= 0 && !lastSegment)) {
            throw new IllegalArgumentException("not a path pattern: " + text);
        }
    }

    /** Whether it is to be compared as a whole. */
    boolean isExact() {
        return !text.endsWith("}");
    }

    /** The placeholder's value in {@code rawPath}; null where the path is not of this pattern. */
    @Nullable
    String match(String rawPath) {
        int prefix = text.indexOf('{');
        if (prefix < 0 || !rawPath.regionMatches(0, text, 0, prefix)) {
            return null;
        }
        String value = rawPath.substring(prefix);
        return PARAMETER.matcher(value).matches() ? value : null;
    }
}
