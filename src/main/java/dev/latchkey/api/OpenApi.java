package dev.latchkey.api;

import dev.latchkey.encoding.Base64Url;
import dev.latchkey.http.Request;
import dev.latchkey.http.Response;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;

/** The route {@code /openapi.json}: the routes as a document for programs (OpenAPI 3.1). It is read once. */
final class OpenApi {
    private static final String CACHE_CONTROL = "max-age=300"; // seconds until a cache notices a new version
    private static final int ETAG_LENGTH = 16; // characters: 96 bits
    private static final byte[] DOCUMENT = read();
    private static final String ETAG =
            '"' + Base64Url.sha256(new String(DOCUMENT, StandardCharsets.UTF_8)).substring(0, ETAG_LENGTH) + '"';
    private static final Response NOT_MODIFIED = Response.notModified(ETAG).withHeader("Cache-Control", CACHE_CONTROL);
    private static final Response OK = Response.shared(
            Map.of("Content-Type", "application/json", "ETag", ETAG, "Cache-Control", CACHE_CONTROL), DOCUMENT);

    private OpenApi() {}

    static Response get(Request request) {
        return request.ifNoneMatch(ETAG) ? NOT_MODIFIED : OK;
    }

    private static byte[] read() {
        try (InputStream document = OpenApi.class.getResourceAsStream("openapi.json")) {
            return Objects.requireNonNull(document).readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
