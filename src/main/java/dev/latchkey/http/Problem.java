package dev.latchkey.http;

import java.util.List;
import java.util.Map;

/** An answer other than success (RFC 9457), thrown by whoever finds the reason. Its detail is sent to the client. */
public final class Problem extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final Map<Integer, String> TITLES = Map.ofEntries(
            Map.entry(400, "Bad Request"),
            Map.entry(401, "Unauthorized"),
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

    /** One fault of one field of a body or query. */
    public record Fault(String field, String detail) {}

    // a "type" of its own would promise a page that explains it: the status and its title say all (RFC 9457 §4.2.1)
    private record Body(String type, String title, int status, String detail) {}

    private record FaultsBody(String type, String title, int status, String detail, List<Fault> errors) {}

    public Problem(int status, String detail) {
        this(detail, Response.json(status, new Body("about:blank", title(status), status, detail)));
    }

    /** A 400 that names every fault of a body or query at once. */
    public Problem(String detail, List<Fault> errors) {
        this(detail, Response.json(400, new FaultsBody("about:blank", title(400), 400, detail, errors)));
    }

    private Problem(String detail, Response response) {
        super(detail, null, false, false);
        this.response = response;
    }

    /** A 503 for a request that may be repeated after a second. */
    public static Problem unavailable(String detail) {
        return new Problem(503, detail).with("Retry-After", "1");
    }

    /** The same with one more header. */
    public Problem with(String header, String value) {
        return new Problem(String.valueOf(getMessage()), response.with(header, value));
    }

    Response response() {
        return response.with("Content-Type", "application/problem+json");
    }

    private static String title(int status) {
        return TITLES.getOrDefault(status, "Error");
    }
}
