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

/** A file of the jar, which is read once and sent as it is. A client that has it gets a 304. */
final class StaticFile {
    private static final int ETAG_LENGTH = 16; // characters: 96 bits

    private final String etag;
    private final Response ok;
    private final Response notModified;

    /**
     * @param name of a file in the folder of this class
     * @param cacheControl of the 200 and the 304
     * @param headers of the 200
     */
    StaticFile(String name, String cacheControl, Map<String, String> headers) {
        byte[] content = read(name);
        String digest = Base64Url.sha256(new String(content, StandardCharsets.UTF_8));
        etag = '"' + digest.substring(0, ETAG_LENGTH) + '"';
        ok = Response.shared(headers, content).withHeader("ETag", etag).withHeader("Cache-Control", cacheControl);
        notModified = Response.notModified(etag).withHeader("Cache-Control", cacheControl);
    }

    private static byte[] read(String name) {
        try (InputStream file = StaticFile.class.getResourceAsStream(name)) {
            return Objects.requireNonNull(file, name).readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Response get(Request request) {
        return request.ifNoneMatch(etag) ? notModified : ok;
    }
}
