package dev.latchkey.http;

import java.util.Locale;

/**
 * What went wrong. Clients rely on these codes, which they receive as {@link #toString}: to add, rename or
 * remove one, or to change its status code, is a breaking change.
 */
public enum ErrorCode {
    MALFORMED_REQUEST(400, "Bad Request"),
    INVALID_FIELDS(400, "Bad Request"),
    CREDENTIALS_MISSING(401, "Unauthorized"),
    INVALID_TOKEN(401, "Unauthorized"),
    WRONG_CREDENTIALS(401, "Unauthorized"),
    WRONG_PASSWORD(401, "Unauthorized"),
    WRONG_CLIENT_CREDENTIALS(401, "Unauthorized"),
    REGISTRATION_CLOSED(403, "Forbidden"),
    NOT_FOUND(404, "Not Found"),
    METHOD_NOT_ALLOWED(405, "Method Not Allowed"),
    USERNAME_TAKEN(409, "Conflict"),
    TODO_LIMIT(409, "Conflict"),
    PRECONDITION_FAILED(412, "Precondition Failed"),
    BODY_TOO_LARGE(413, "Content Too Large"),
    UNSUPPORTED_MEDIA_TYPE(415, "Unsupported Media Type"),
    RATE_LIMITED(429, "Too Many Requests"),
    HEADERS_TOO_LARGE(431, "Request Header Fields Too Large"),
    INTERNAL_ERROR(500, "Internal Server Error"),
    CONTENTION(503, "Service Unavailable"),
    OVERLOADED(503, "Service Unavailable"),
    TOKEN_STORE_UNAVAILABLE(503, "Service Unavailable"),
    UNSUPPORTED_HTTP_VERSION(505, "HTTP Version Not Supported");

    final int status;
    final String title; // with the type "about:blank", it is the phrase of the status code (RFC 9457 §4.2.1)

    ErrorCode(int status, String title) {
        this.status = status;
        this.title = title;
    }

    /** Returns the name in lower case. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
