package dev.latchkey.http;

import java.util.List;
import java.util.Map;

/** An error response (RFC 9457). Its detail is sent to the client. */
public final class Problem extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final Map<Integer, String> TITLES = Map.ofEntries(
            Map.entry(400, "Bad Request"),
            Map.entry(401, "Unauthorized"),
            Map.entry(403, "Forbidden"),
            Map.entry(404, "Not Found"),
            Map.entry(405, "Method Not Allowed"),
            Map.entry(409, "Conflict"),
            Map.entry(412, "Precondition Failed"),
            Map.entry(413, "Content Too Large"),
            Map.entry(415, "Unsupported Media Type"),
            Map.entry(429, "Too Many Requests"),
            Map.entry(431, "Request Header Fields Too Large"),
            Map.entry(500, "Internal Server Error"),
            Map.entry(503, "Service Unavailable"),
            Map.entry(505, "HTTP Version Not Supported"));

    private final transient Response response;

    /** An error in one field of a body or query. */
    public record FieldError(String field, String detail) {}

    // A type other than about:blank would need a page that explains it. Status and title are enough (RFC 9457 §4.2.1).
    private record Body(String type, String title, int status, String detail) {}

    private record ErrorsBody(String type, String title, int status, String detail, List<FieldError> errors) {}

    public Problem(int status, String detail) {
        this(
                detail,
                Response.json(status, new Body("about:blank", TITLES.getOrDefault(status, "Error"), status, detail)));
    }

    /** Creates a 400 response that lists all errors of a body or query. */
    public Problem(String detail, List<FieldError> errors) {
        this(detail, Response.json(400, new ErrorsBody("about:blank", "Bad Request", 400, detail, errors)));
    }

    private Problem(String detail, Response response) {
        super(detail, null, false, false);
        this.response = response;
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
