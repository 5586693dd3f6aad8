package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import dev.latchkey.tokens.ClientInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.StringTokenizer;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A request as handlers see it. */
public final class Request {
    private static final String JSON = "application/json";
    private static final int MAX_FORM_BYTES = 1 << 20;
    private static final String FORM = "application/x-www-form-urlencoded";
    // The parameters of a media type (RFC 9110 §8.3.1). A charset must be UTF-8, of which ASCII is a part. This takes
    // linear time, and the possessive quantifiers do not recurse.
    private static final Pattern PARAMETERS = Pattern.compile(
            "(?is)(?:[ \t]*+;[ \t]*+(?:charset=(?:UTF8|\"UTF8\")|(?!charset=)TOKEN=(?:TOKEN|QUOTED))?+)*+[ \t]*+"
                    .replace("UTF8", "(?:utf-?8|us-ascii)")
                    .replace("TOKEN", "[\\w!#$%&'*+.^`|~-]++")
                    .replace("QUOTED", "\"(?:[^\"\\\\]|\\\\.)*+\""));

    private final HttpExchange exchange;
    private final RequestHead head;
    private final String pathParameter;
    private final HttpSettings settings;

    Request(HttpExchange exchange, RequestHead head, String pathParameter, HttpSettings settings) {
        this.exchange = exchange;
        this.head = head;
        this.pathParameter = pathParameter;
        this.settings = settings;
    }

    /** Returns the client that sent the request. */
    public ClientInfo client() {
        List<String> userAgents = exchange.getRequestHeaders().getOrDefault("User-Agent", List.of(""));
        String requestId = exchange.getResponseHeaders().getFirst(RequestHandler.REQUEST_ID);
        return ClientInfo.of(head.client(settings.trustedProxyHops()), userAgents.getFirst(), requestId);
    }

    /** Returns the value of the path's placeholder, or an empty text if the path has none. */
    public String pathParameter() {
        return pathParameter;
    }

    /** Returns the query's fields, percent-decoded. A {@code +} is a space. */
    public RequestFields query() {
        String query = exchange.getRequestURI().getRawQuery();
        return pairs("query", query == null ? "" : query, "");
    }

    /**
     * Reads one field of the request body, a form. All other fields are ignored, as OAuth requires (RFC 6749 §3.2). An
     * empty value counts as absent.
     *
     * <p>Of a very long body, only the start is read. A field that is cut there is returned as far as it was read.
     *
     * @throws Problem 400 if it is malformed, 413 if it has more than a megabyte, 415 if it is not declared as a form
     * @throws IOException if the connection is lost
     */
    public RequestFields form(String field) throws IOException {
        InputStream in = body(FORM, MAX_FORM_BYTES);
        String body = new String(in.readNBytes(settings.maxBodyBytes()), StandardCharsets.UTF_8);
        if (in.transferTo(OutputStream.nullOutputStream()) > 0) {
            body = body.replaceFirst("%.?$", ""); // the cut may be within an escape
        }
        try {
            return pairs("request body", body, field);
        } catch (IllegalArgumentException _) {
            throw new Problem(ErrorCode.MALFORMED_REQUEST, "The request body has a malformed percent-encoding.");
        }
    }

    /** @param only the name of the only field to return; empty for all */
    private static RequestFields pairs(String source, String text, String only) {
        var fields = new RequestFields(source, true);
        // Pair by pair, because a list of all pairs could take 20 times the memory of the text.
        var pairs = new StringTokenizer(text, "&");
        while (pairs.hasMoreTokens()) {
            String[] pair = pairs.nextToken().split("=", 2);
            String name = decode(pair[0]);
            String value = pair.length == 2 ? decode(pair[1]) : "";
            if (only.isEmpty() || name.equals(only)) {
                fields.add(name, value);
            }
        }
        return fields;
    }

    private static String decode(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    /**
     * Reads the request body, a JSON object.
     *
     * @throws Problem 400 if it is malformed, 413 if it is too large, 415 if it is not declared as plain JSON
     * @throws IOException if the connection is lost
     */
    public RequestFields json() throws IOException {
        return RequestFields.readJson(body(JSON, settings.maxBodyBytes()));
    }

    private InputStream body(String type, int maxBytes) {
        var headers = exchange.getRequestHeaders();
        List<String> types = headers.getOrDefault("Content-Type", List.of());
        String coding = String.join(",", headers.getOrDefault("Content-Encoding", List.of("identity")));
        boolean isCoded = !coding.strip().equalsIgnoreCase("identity");
        if (isCoded || types.size() != 1 || !isType(type, types.getFirst())) {
            String detail = "Send the body in UTF-8 with one Content-Type: " + type + " and no Content-Encoding.";
            Problem problem = new Problem(ErrorCode.UNSUPPORTED_MEDIA_TYPE, detail).withHeader("Accept", type);
            boolean isPatch = exchange.getRequestMethod().equals("PATCH");
            problem = isPatch ? problem.withHeader("Accept-Patch", type) : problem; // RFC 5789 §3.1
            throw isCoded ? problem.withHeader("Accept-Encoding", "identity") : problem; // RFC 9110 §15.5.16
        }
        return RequestBody.limited(exchange, maxBytes);
    }

    static boolean isType(String expected, String type) {
        int length = expected.length();
        return type.regionMatches(true, 0, expected, 0, length)
                && PARAMETERS.matcher(type).region(length, type.length()).matches();
    }

    /** Returns the {@code Authorization} headers, of which a valid request has at most one. */
    public List<String> authorization() {
        return exchange.getRequestHeaders().getOrDefault("Authorization", List.of());
    }

    /** Reports whether the request has an {@code If-Match} or {@code If-None-Match} header. */
    public boolean hasPrecondition() {
        var headers = exchange.getRequestHeaders();
        return headers.containsKey("If-Match") || headers.containsKey("If-None-Match");
    }

    /** Reports whether {@code If-Match} is absent or matches the strong {@code etag} (RFC 9110 §13.1.1). */
    public boolean ifMatch(String etag) {
        return !exchange.getRequestHeaders().containsKey("If-Match") || matches("If-Match", etag);
    }

    /** Reports whether {@code If-None-Match} matches {@code etag}, weak or strong (RFC 9110 §13.1.2). */
    public boolean ifNoneMatch(String etag) {
        return matches("If-None-Match", etag) || matches("If-None-Match", "W/" + etag);
    }

    private boolean matches(String header, String etag) {
        List<String> etags = etags(header);
        return etags.contains(etag) || etags.equals(List.of("*"));
    }

    // Several lines of one header are one list (RFC 9110 §5.3).
    private List<String> etags(String header) {
        return exchange.getRequestHeaders().getOrDefault(header, List.of()).stream()
                .flatMap(line -> Stream.of(line.split(",")))
                .map(String::strip)
                .toList();
    }
}
