package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import dev.latchkey.tokens.ClientInfo;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A request as handlers see it. */
public final class Request {
    private static final String JSON = "application/json";
    private static final String FORM = "application/x-www-form-urlencoded";
    private static final Pattern AND = Pattern.compile("&");
    private static final Set<String> UTF_8 = Set.of("utf-8", "utf8", "us-ascii"); // ASCII is a part of UTF-8
    // One parameter, which may be empty, or the end of a media type (RFC 9110 §5.6.6). It takes linear time, and the
    // possessive quantifiers do not recurse.
    private static final Pattern PARAMETER =
            Pattern.compile("(?s)\\G[ \t]*+(?:\\z|;[ \t]*+(?:(TOKEN)=(TOKEN|\"(?:[^\"\\\\]|\\\\.)*+\"))?+)"
                    .replace("TOKEN", "[\\w!#$%&'*+.^`|~-]++"));

    private final HttpExchange exchange;
    private final String pathParameter;
    private final HttpSettings settings;
    private @Nullable ClientInfo client;

    Request(HttpExchange exchange, String pathParameter, HttpSettings settings) {
        this.exchange = exchange;
        this.pathParameter = pathParameter;
        this.settings = settings;
    }

    /** Returns the client that sent the request. */
    public ClientInfo client() {
        if (client == null) {
            List<String> userAgents = exchange.getRequestHeaders().getOrDefault("User-Agent", List.of(""));
            String id = exchange.getResponseHeaders().getFirst(RequestHandler.REQUEST_ID);
            var address = ClientAddress.of(exchange, settings.trustedProxyHops());
            client = ClientInfo.of(address, userAgents.getFirst(), id);
        }
        return client;
    }

    /** Returns the value of the path's placeholder, or an empty text if the path has none. */
    public String pathParameter() {
        return pathParameter;
    }

    /** Returns the query's fields, percent-decoded. A {@code +} is a space. */
    public RequestFields query() {
        var fields = new RequestFields("query", true);
        String query = exchange.getRequestURI().getRawQuery();
        addPairs(query == null ? "" : query, fields::add);
        return fields;
    }

    /**
     * Reads one field of the request body, a form. All other fields are ignored, as OAuth requires (RFC 6749 §3.2). An
     * empty value counts as absent.
     *
     * @throws Problem 400 if it is malformed, 413 if it is too large, 415 if it is not declared as a form
     * @throws IOException if the connection is lost
     */
    public RequestFields form(String field) throws IOException {
        String body = new String(body(FORM).readAllBytes(), StandardCharsets.UTF_8);
        var fields = new RequestFields("request body", true);
        try {
            addPairs(body, (name, value) -> {
                if (name.equals(field)) {
                    fields.add(name, value);
                }
            });
        } catch (IllegalArgumentException _) {
            throw new Problem(400, "The request body has a malformed percent-encoding.");
        }
        return fields;
    }

    // Pair by pair, because a list of all pairs could take 20 times the memory of the text.
    private static void addPairs(String text, BiConsumer<String, String> onPair) {
        AND.splitAsStream(text).filter(pair -> !pair.isEmpty()).forEach(pair -> {
            String[] parts = pair.split("=", 2);
            onPair.accept(decode(parts[0]), parts.length == 2 ? decode(parts[1]) : "");
        });
    }

    /**
     * Reads the request body, a JSON object.
     *
     * @throws Problem 400 if it is malformed, 413 if it is too large, 415 if it is not declared as plain JSON
     * @throws IOException if the connection is lost
     */
    public RequestFields json() throws IOException {
        return RequestFields.readJson(body(JSON));
    }

    private InputStream body(String type) {
        var headers = exchange.getRequestHeaders();
        List<String> types = headers.getOrDefault("Content-Type", List.of());
        if (types.size() != 1 || !isType(type, types.getFirst()) || headers.containsKey("Content-Encoding")) {
            String detail = "Send the body in UTF-8 with one Content-Type: " + type + " and no Content-Encoding.";
            throw new Problem(415, detail).withHeader("Accept", type);
        }
        return RequestBody.of(exchange).limitedTo(settings.maxBodyBytes());
    }

    static boolean isType(String expected, String type) {
        return type.regionMatches(true, 0, expected, 0, expected.length())
                && PARAMETER
                        .matcher(type.substring(expected.length()))
                        .replaceAll(parameter -> isOtherCharset(parameter) ? "-" : "")
                        .isEmpty();
    }

    private static boolean isOtherCharset(MatchResult parameter) {
        return "charset".equalsIgnoreCase(parameter.group(1))
                && !UTF_8.contains(parameter
                        .group(2)
                        .replaceAll("\\\\(.)|^\"|\"$", "$1") // unquoted
                        .toLowerCase(Locale.ROOT));
    }

    /** Returns the {@code Authorization} headers, of which a valid request has at most one. */
    public List<String> authorization() {
        return exchange.getRequestHeaders().getOrDefault("Authorization", List.of());
    }

    /** Reports whether the request has an {@code If-Match} header. */
    public boolean hasIfMatch() {
        return exchange.getRequestHeaders().containsKey("If-Match");
    }

    /** Reports whether {@code If-Match} has a weak ETag, which never matches. */
    public boolean hasWeakIfMatch() {
        return etags("If-Match").stream().anyMatch(tag -> tag.startsWith("W/"));
    }

    /** Reports whether {@code If-Match} is absent or matches the strong {@code etag} (RFC 9110 §13.1.1). */
    public boolean ifMatch(String etag) {
        return !hasIfMatch() || matches("If-Match", etag);
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

    private static String decode(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }
}
