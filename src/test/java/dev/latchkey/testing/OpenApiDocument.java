package dev.latchkey.testing;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SchemaRegistryConfig;
import com.networknt.schema.dialect.Dialects;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code openapi.json}, with its schemas ready for validation. */
public final class OpenApiDocument {
    public static final OpenApiDocument INSTANCE = new OpenApiDocument();

    private static final String URI = "https://latchkey.test/openapi.json";

    private final JsonNode root;
    private final SchemaRegistry schemas;
    private final Map<String, Schema> compiled = new LinkedHashMap<>();
    private final List<PathItem> paths = new ArrayList<>();

    /** A path and its operations, by method in upper case. If it accepts any method, its only operation is GET. */
    public record PathItem(String path, Pattern pattern, boolean anyMethod, Map<String, Operation> operations) {
        /** Returns the methods of the path, as in the {@code Allow} header. */
        public String allow() {
            var methods = new TreeSet<>(operations.keySet());
            methods.add("OPTIONS");
            if (methods.contains("GET")) {
                methods.add("HEAD");
            }
            return String.join(", ", methods);
        }

        Optional<Operation> operation(String method) {
            String documented = anyMethod || method.equals("HEAD") ? "GET" : method;
            return Optional.ofNullable(operations.get(documented));
        }
    }

    /**
     * An operation.
     *
     * @param security the names of the security schemes; empty if no credentials are needed
     * @param responses by status code, or {@code default}
     */
    public record Operation(String id, List<String> security, Map<String, Expected> responses) {}

    /** A documented response, with its headers by name in lower case, and its schemas by media type. */
    public record Expected(Map<String, Header> headers, Map<String, Schema> content) {}

    /** A documented header. */
    public record Header(boolean required, boolean isInteger, Schema schema) {}

    private OpenApiDocument() {
        String text;
        try {
            text = Files.readString(Path.of("src/main/resources/dev/latchkey/api/openapi.json"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        // With absolute references, each part of the document is complete.
        root = new JsonMapper().readTree(text.replace("\"#/", "\"" + URI + "#/"));
        // Clients must accept fields that a later version adds. Tests accept none that the document does not describe.
        root.at("/components/schemas").forEachEntry((name, schema) -> {
            if (schema.has("properties") && !name.equals("TokenForm")) {
                ((ObjectNode) schema).put("additionalProperties", false);
            }
        });
        String absolute = root.toString();
        var config =
                SchemaRegistryConfig.builder().formatAssertionsEnabled(true).build();
        schemas = SchemaRegistry.withDefaultDialect(
                Dialects.getOpenApi31(),
                builder -> builder.schemaRegistryConfig(config).schemas(Map.of(URI, absolute)));
        root.get("paths").forEachEntry((path, item) -> paths.add(pathItem(path, item)));
    }

    /** Returns all paths in the order of the document. */
    public List<PathItem> paths() {
        return paths;
    }

    /** Returns the documentation of a path, without query. */
    public Optional<PathItem> find(String path) {
        return paths.stream()
                .filter(item -> item.pattern().matcher(path).matches())
                .findFirst();
    }

    private PathItem pathItem(String path, JsonNode item) {
        Map<String, Operation> operations = new LinkedHashMap<>();
        List<JsonNode> parameters = new ArrayList<>(item.path("parameters").values());
        item.forEachEntry((name, node) -> {
            if (node.has("operationId")) {
                operations.put(name.toUpperCase(Locale.ROOT), operation(node));
                parameters.addAll(node.path("parameters").values());
            }
        });
        String regex = Pattern.quote(path);
        for (JsonNode parameter : parameters) {
            if (parameter.path("in").asString("").equals("path")) {
                String value = parameter.at("/schema/pattern").asString().replaceAll("^\\^|\\$$", "");
                regex = regex.replace("{" + parameter.get("name").asString() + "}", "\\E" + value + "\\Q");
            }
        }
        boolean anyMethod = item.path("x-any-method").asBoolean(false);
        return new PathItem(path, Pattern.compile(regex), anyMethod, operations);
    }

    private Operation operation(JsonNode operation) {
        JsonNode security = operation.has("security") ? operation.get("security") : root.get("security");
        List<String> schemes = new ArrayList<>();
        security.forEach(scheme -> schemes.addAll(scheme.propertyNames()));
        Map<String, Expected> responses = new LinkedHashMap<>();
        operation.get("responses").forEachEntry((status, response) -> responses.put(status, expected(response)));
        return new Operation(operation.get("operationId").asString(), schemes, responses);
    }

    private Expected expected(JsonNode reference) {
        JsonNode response = resolve(reference);
        Map<String, Header> headers = new LinkedHashMap<>();
        response.path("headers").forEachEntry((name, node) -> headers.put(name.toLowerCase(Locale.ROOT), header(node)));
        Map<String, Schema> content = response.path("content").properties().stream()
                .collect(Collectors.toMap(
                        Map.Entry::getKey, entry -> schema(entry.getValue().get("schema"))));
        return new Expected(headers, content);
    }

    private Header header(JsonNode reference) {
        JsonNode header = resolve(reference);
        JsonNode schema = header.get("schema");
        boolean isInteger = schema.get("type").asString().equals("integer");
        return new Header(header.path("required").asBoolean(false), isInteger, schema(schema));
    }

    private JsonNode resolve(JsonNode node) {
        return node.has("$ref") ? root.at(node.get("$ref").asString().substring(URI.length() + 1)) : node;
    }

    private Schema schema(JsonNode node) {
        return compiled.computeIfAbsent(node.toString(), _ -> {
            Schema schema = schemas.getSchema(SchemaLocation.of(URI + "/" + compiled.size()), node);
            schema.initializeValidators();
            return schema;
        });
    }
}
