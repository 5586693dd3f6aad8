package dev.latchkey.testing;

import com.networknt.schema.Schema;
import dev.latchkey.testing.OpenApiDocument.Expected;
import dev.latchkey.testing.OpenApiDocument.Operation;
import dev.latchkey.testing.OpenApiDocument.PathItem;
import dev.latchkey.testing.TestClient.Answer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * Compares every response that a {@link TestClient} receives with {@code openapi.json}: its status code, headers, media
 * type and body. What the document does not describe is an error.
 */
public final class ResponseContract implements TestClient.Observer {
    /** The documented responses that tests have seen, one per line, for {@code scripts/openapi}. */
    private static final Path SEEN = Path.of("target", "openapi-seen.txt");

    private static final OpenApiDocument DOCUMENT = OpenApiDocument.INSTANCE;
    private static final Expected REFUSED = DOCUMENT.find("/health/live")
            .orElseThrow()
            .operation("GET")
            .orElseThrow()
            .responses()
            .get("default");
    private static final Set<Integer> REFUSALS = Set.of(400, 431, 500, 505);
    /** Headers of HTTP itself, and of CORS. */
    private static final Set<String> ALWAYS_ALLOWED = Set.of(
            "connection",
            "content-length",
            "content-type",
            "date",
            "transfer-encoding",
            "access-control-allow-headers",
            "access-control-allow-methods",
            "access-control-allow-origin",
            "access-control-expose-headers",
            "access-control-max-age",
            "vary");

    private final Set<String> seen = ConcurrentHashMap.newKeySet();

    @Override
    public void observe(String method, String path, Answer answer) {
        List<String> errors = errors(method, path.replaceFirst("\\?.*", ""), answer);
        if (!errors.isEmpty()) {
            throw new AssertionError("openapi.json does not describe this response to " + method + " " + path + ": "
                    + String.join("; ", errors) + "\n" + answer);
        }
    }

    private List<String> errors(String method, String path, Answer answer) {
        PathItem item = DOCUMENT.find(path).orElse(null);
        Operation operation = item == null ? null : item.operation(method).orElse(null);
        int status = answer.status();
        List<String> errors = new ArrayList<>();
        if (path.startsWith("/api/") && !answer.header("Cache-Control").equals("no-store")) {
            errors.add("Cache-Control must be no-store");
        }
        Expected expected = null;
        if (operation != null) {
            expected = operation.responses().get(Integer.toString(status));
        } else if (item != null && (status == 405 || (status == 204 && method.equals("OPTIONS")))) {
            if (!answer.header("Allow").equals(item.allow())) {
                errors.add("Allow must be " + item.allow());
            }
            expected = status == 405 ? REFUSED : new Expected(REFUSED.headers(), Map.of());
        } else if (status == 404 && (item == null || isOptional(item))) {
            expected = REFUSED;
        }
        if (expected == null && REFUSALS.contains(status)) {
            expected = REFUSED;
        }
        if (expected == null) {
            errors.add("the status code is not documented");
        } else {
            checkHeaders(expected, answer, errors);
            checkBody(expected, answer, method.equals("HEAD"), errors);
            if (errors.isEmpty() && operation != null) {
                String key = Integer.toString(status);
                record(operation.id() + " " + (operation.responses().containsKey(key) ? key : "default"));
            }
        }
        return errors;
    }

    // A path that only exists if it is configured.
    private static boolean isOptional(PathItem item) {
        return item.operations().values().stream()
                .allMatch(operation -> operation.responses().containsKey("404"));
    }

    private static void checkHeaders(Expected expected, Answer answer, List<String> errors) {
        expected.headers().forEach((name, header) -> {
            String value = answer.header(name);
            if (!value.isEmpty()) {
                JsonNode node = header.isInteger() && value.matches("[0-9]{1,9}")
                        ? JsonNodeFactory.instance.numberNode(Integer.parseInt(value))
                        : JsonNodeFactory.instance.stringNode(value);
                header.schema().validate(node).forEach(error -> errors.add("header " + name + ": " + error));
            } else if (header.required()) {
                errors.add("header " + name + " is required");
            }
        });
        answer.headers().keySet().stream()
                .map(name -> name.toLowerCase(Locale.ROOT))
                .filter(name ->
                        !ALWAYS_ALLOWED.contains(name) && !expected.headers().containsKey(name))
                .forEach(name -> errors.add("header " + name + " is not documented"));
    }

    private static void checkBody(Expected expected, Answer answer, boolean isHead, List<String> errors) {
        String type = answer.header("Content-Type");
        Schema schema = expected.content().get(type);
        if (schema == null) {
            if (!expected.content().isEmpty()
                    || !type.isEmpty()
                    || !answer.text().isEmpty()) {
                errors.add("the media type must be one of " + expected.content().keySet());
            }
        } else if (isHead) {
            if (!answer.text().isEmpty()) {
                errors.add("a response to HEAD has no body");
            }
        } else {
            try {
                JsonNode body = answer.json();
                schema.validate(body).forEach(error -> errors.add("body: " + error));
                if (type.equals("application/problem+json")) {
                    if (body.path("status").asInt() != answer.status()) {
                        errors.add("body: status must be the status code");
                    }
                    if (answer.field("title").isEmpty()
                            || answer.field("detail").isEmpty()) {
                        errors.add("body: title and detail must not be empty");
                    }
                }
            } catch (JacksonException e) {
                errors.add("body: " + e.getMessage());
            }
        }
    }

    private void record(String response) {
        if (seen.add(response)) {
            try {
                Files.writeString(SEEN, response + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
