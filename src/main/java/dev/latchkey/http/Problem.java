package dev.latchkey.http;

import dev.latchkey.validation.FieldErrorCode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** An error response (RFC 9457). Its detail is sent to the client. */
public final class Problem extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final transient Body body;
    private final transient Map<String, String> headers;

    /** An error in one field of a body or query. */
    record FieldError(
            String field, FieldErrorCode code, String detail, Optional<Integer> minimum, Optional<Integer> maximum) {}

    private record Body(
            String type,
            String title,
            int status,
            ErrorCode code,
            String detail,
            Optional<List<FieldError>> errors,
            Optional<String> error) {
        Body(ErrorCode code, String detail, Optional<List<FieldError>> errors, Optional<String> error) {
            // Another type would need a page that explains it. The code is enough.
            this("about:blank", code.title, code.status, code, detail, errors, error);
        }
    }

    public Problem(ErrorCode code, String detail) {
        this(new Body(code, detail, Optional.empty(), Optional.empty()), Map.of());
    }

    /** @param errors all errors of a body or query */
    Problem(String detail, List<FieldError> errors) {
        this(new Body(ErrorCode.INVALID_FIELDS, detail, Optional.of(errors), Optional.empty()), Map.of());
    }

    private Problem(Body body, Map<String, String> headers) {
        super(body.detail, null, false, false);
        this.body = body;
        this.headers = headers;
    }

    /** Returns a 503 response that asks the client to retry after some seconds. */
    public static Problem unavailable(ErrorCode code, String detail, long retrySeconds) {
        return new Problem(code, detail).withHeader("Retry-After", Long.toString(retrySeconds));
    }

    /** Returns a 429 response for attempts to guess a secret. */
    public static Problem tooManyAttempts(long retrySeconds) {
        String detail = "Too many attempts. Try again in " + retrySeconds + " seconds.";
        return new Problem(ErrorCode.RATE_LIMITED, detail).withHeader("Retry-After", Long.toString(retrySeconds));
    }

    /** Returns this problem with one more header. */
    public Problem withHeader(String name, String value) {
        var more = new HashMap<>(headers);
        more.put(name, value);
        return new Problem(body, more);
    }

    /** Returns this problem with the member that OAuth requires for its status code, if any (RFC 6749 §5.2). */
    Problem withOAuthError() {
        Optional<String> error = switch (body.status) {
            case 401 -> Optional.of("invalid_client");
            case 400, 413, 415 -> Optional.of("invalid_request");
            default -> Optional.empty();
        };
        return new Problem(new Body(body.code, body.detail, body.errors, error), headers);
    }

    Response response() {
        var response = Response.json(body.status, body).withHeader("Content-Type", "application/problem+json");
        for (var header : headers.entrySet()) {
            response = response.withHeader(header.getKey(), header.getValue());
        }
        return response;
    }
}
