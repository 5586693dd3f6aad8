package dev.latchkey.http;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** An error response (RFC 9457). Its detail is sent to the client. */
public final class Problem extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final transient Response response;

    /** An error in one field of a body or query. */
    record FieldError(String field, String detail) {}

    public Problem(int status, String detail) {
        this(status, detail, List.of());
    }

    /** @param errors all errors of a body or query; empty for other problems */
    Problem(int status, String detail, List<FieldError> errors) {
        this(detail, Response.json(status, body(status, detail, errors)));
    }

    private Problem(String detail, Response response) {
        super(detail, null, false, false);
        this.response = response;
    }

    private static Map<String, Object> body(int status, String detail, List<FieldError> errors) {
        Map<String, Object> body = new LinkedHashMap<>();
        // Another type would need a page that explains it. Status and title are enough (RFC 9457 §4.2.1).
        body.put("type", "about:blank");
        body.put("title", title(status));
        body.put("status", status);
        body.put("detail", detail);
        if (!errors.isEmpty()) {
            body.put("errors", errors);
        }
        return body;
    }

    private static String title(int status) {
        return switch (status) {
            case 400 -> "Bad Request";
            case 401 -> "Unauthorized";
            case 403 -> "Forbidden";
            case 404 -> "Not Found";
            case 405 -> "Method Not Allowed";
            case 409 -> "Conflict";
            case 412 -> "Precondition Failed";
            case 413 -> "Content Too Large";
            case 415 -> "Unsupported Media Type";
            case 429 -> "Too Many Requests";
            case 431 -> "Request Header Fields Too Large";
            case 503 -> "Service Unavailable";
            case 505 -> "HTTP Version Not Supported";
            default -> "Internal Server Error";
        };
    }

    /** Returns a 503 response that asks the client to retry after one second. */
    public static Problem unavailable(String detail) {
        return new Problem(503, detail).withHeader("Retry-After", "1");
    }

    /** Returns a 429 response for attempts to guess a secret. */
    public static Problem tooManyAttempts(long retrySeconds) {
        return new Problem(429, "Too many attempts. Try again in " + retrySeconds + " seconds.")
                .withHeader("Retry-After", Long.toString(retrySeconds));
    }

    /** Returns this problem with one more header. */
    public Problem withHeader(String name, String value) {
        return new Problem(String.valueOf(getMessage()), response.withHeader(name, value));
    }

    Response response() {
        return response.withHeader("Content-Type", "application/problem+json");
    }
}
