package dev.latchkey.http;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads request bodies that are built from random pieces of JSON. {@link RequestFields} must accept the same bodies as
 * Jackson in its strictest mode, with the same values, and reject all others with a 400.
 */
class RequestFieldsFuzzTest {
    private static final long SEED = Long.getLong("fuzz.seed", 20260319);
    private static final int BODIES = 20 * Integer.getInteger("fuzz.requests", 1000);
    private static final String[] PIECES = {
        "{", "}", "[", "]", ":", ",", "\"", "\"a\"", "\"b\"", "\"a\":\"b\"", "\"b\":\"\\u00e9\"", "\\ud800", "\\udc00",
        "\\", "\\n", "\n", "\0", " ", "1", "-0", "1e999", "null", "true", "\u00c3\u00a9", "\u00ff",
                "\u00ed\u00a0\u0080",
        "\u00ef\u00bb\u00bf", "//", "{\"a\":\"b\"}", "{\"a\":\"", "\"}"
    };
    private static final JsonMapper STRICT = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    @Test
    void only_one_flat_json_object_of_strings_is_accepted() throws Exception {
        var random = new Random(SEED);
        int accepted = 0;
        for (int i = 0; i < BODIES; i++) {
            byte[] body = body(random);
            Map<String, String> expected = readWithJackson(body);
            assertEquals(expected, readWithRequestFields(body), () -> new String(body, StandardCharsets.ISO_8859_1));
            accepted += expected == null ? 0 : 1;
        }
        assertEquals(
                true,
                accepted > BODIES / 100,
                "Only " + accepted + " of " + BODIES + " bodies were accepted, which is too few for this test.");
    }

    private static byte[] body(Random random) {
        var body = new ByteArrayOutputStream();
        boolean inBraces = random.nextBoolean(); // otherwise hardly any body would be valid
        body.writeBytes(bytes(inBraces ? "{" : ""));
        for (int pieces = random.nextInt(6); pieces > 0; pieces--) {
            body.writeBytes(bytes(PIECES[random.nextInt(PIECES.length)]));
        }
        body.writeBytes(bytes(inBraces ? "}" : ""));
        return body.toByteArray();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static @Nullable Map<String, String> readWithRequestFields(byte[] body) {
        try {
            RequestFields fields = RequestFields.readJson(new ByteArrayInputStream(body));
            var values = new TreeMap<String, String>();
            for (String name : new String[] {"a", "b", "", "n"}) {
                fields.optional(name, Function.identity()).ifPresent(value -> values.put(name, value));
            }
            fields.throwIfInvalid();
            return values;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (Problem problem) {
            assertEquals(400, problem.response().status);
            return null;
        }
    }

    private static @Nullable Map<String, String> readWithJackson(byte[] body) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(body))
                    .toString();
            var values = new TreeMap<String, String>();
            if (!(STRICT.readTree(text.replaceFirst("^\uFEFF", "")) instanceof ObjectNode object)) {
                return null;
            }
            for (var field : object.properties()) {
                String value = field.getValue().asStringOpt().orElse("\ud800"); // not encodable, like a non-string
                boolean isKnown = field.getKey().matches("[abn]?");
                if (!isKnown
                        || !field.getValue().isString()
                        || !StandardCharsets.UTF_8.newEncoder().canEncode(value)) {
                    return null;
                }
                values.put(field.getKey(), value);
            }
            return values;
        } catch (CharacterCodingException | JacksonException _) {
            return null;
        }
    }
}
