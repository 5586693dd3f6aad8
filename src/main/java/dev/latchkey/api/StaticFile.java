package dev.latchkey.api;

import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Objects;

/** Files of the jar, which are read once and sent as they are. */
final class StaticFile {
    private StaticFile() {}

    /** @param name of a file in the folder of this class */
    static Route.OpenHandler handler(String name, Map<String, String> headers) {
        try (InputStream file = StaticFile.class.getResourceAsStream(name)) {
            Response response =
                    Response.shared(headers, Objects.requireNonNull(file, name).readAllBytes());
            return _ -> response;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
