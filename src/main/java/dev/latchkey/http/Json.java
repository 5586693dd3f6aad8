package dev.latchkey.http;

import com.fasterxml.jackson.annotation.JsonFormat;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.TimeZone;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.exc.JacksonIOException;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** All JSON, in and out. The only place that knows Jackson. */
public final class Json {
    // always three decimals, UTC: 2026-03-19T12:00:00.000Z
    private static final JsonFormat.Value DATE =
            JsonFormat.Value.forPattern("uuuu-MM-dd'T'HH:mm:ss.SSSX").withTimeZone(TimeZone.getTimeZone("UTC"));
    private static final JsonMapper MAPPER = JsonMapper.builder()
            // the order of the record's components is the published order
            .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .withConfigOverride(Instant.class, override -> override.setFormat(DATE))
            .build();

    private static final int MAX_NAME_LENGTH = 64;
    private static final int MAX_STRING_LENGTH = 2048;
    private static final int MAX_NUMBER_LENGTH = 64;
    private static final int MAX_DEPTH = 8;
    // Parsers of one factory keep the field names that they have seen for good, unless they do not canonicalize
    // them: a client could fill the heap with names.
    private static final JsonFactory CLIENT_JSON = JsonFactory.builder()
            .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNameLength(MAX_NAME_LENGTH)
                    .maxStringLength(MAX_STRING_LENGTH)
                    .maxNumberLength(MAX_NUMBER_LENGTH)
                    .maxNestingDepth(MAX_DEPTH)
                    .build())
            .build();

    private Json() {}

    public static byte[] bytes(Object value) {
        return MAPPER.writeValueAsBytes(value);
    }

    public static String text(Object value) {
        return MAPPER.writeValueAsString(value);
    }

    /**
     * Reads what Redis holds. A field that is not known is passed over: another program may have written it.
     *
     * @throws IllegalStateException where it is not such a value; the message has none of its text
     */
    public static <T> T read(String json, Class<T> type) {
        try {
            return MAPPER.readValue(json, type);
        } catch (JacksonException _) {
            // no cause: its message quotes the text, which may be a password hash
            throw new IllegalStateException("the stored JSON is not a " + type.getSimpleName());
        }
    }

    /**
     * The object {@code json} with one field set, and all others as they are.
     *
     * @throws IllegalStateException where it is no object; the message has none of its text
     */
    public static String with(String json, String field, String value) {
        try {
            return MAPPER.readValue(json, ObjectNode.class).put(field, value).toString();
        } catch (JacksonException _) {
            throw new IllegalStateException("the stored JSON is not an object"); // no cause, as above
        }
    }

    /**
     * Reads what a client sends: one flat JSON object in UTF-8, and nothing after it. It is parsed while it arrives, so a large
     * request body takes no more memory than a small one.
     *
     * @throws Problem 400 if it is not JSON, or exceeds a limit
     * @throws IOException if the connection is lost
     */
    static Fields fields(InputStream body) throws IOException {
        var fields = new Fields("body");
        // a decoder that reports: left to itself, Jackson would guess UTF-16 and UTF-32, and RFC 8259 §8.1 allows
        // UTF-8 alone
        var text = new InputStreamReader(body, StandardCharsets.UTF_8.newDecoder());
        try (var parser = CLIENT_JSON.createParser(ObjectReadContext.empty(), text)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new Problem(400, "The body must be a JSON object.");
            }
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = wellFormed(parser.currentName());
                if (parser.nextToken() == JsonToken.VALUE_STRING) {
                    fields.add(name, wellFormed(parser.getString()));
                } else {
                    fields.addNonString(name);
                    parser.skipChildren();
                }
            }
            if (parser.nextToken() != null) {
                throw new Problem(400, "The body must be one JSON object, with nothing after it.");
            }
            return fields;
        } catch (StreamConstraintsException _) {
            throw new Problem(
                    400,
                    "The body may have names of " + MAX_NAME_LENGTH + " characters, strings of " + MAX_STRING_LENGTH
                            + ", numbers of " + MAX_NUMBER_LENGTH + ", and " + MAX_DEPTH + " levels.");
        } catch (JacksonIOException e) {
            if (e.getCause() instanceof CharacterCodingException) {
                throw new Problem(400, "The body is not valid UTF-8.");
            }
            throw e.getCause();
        } catch (JacksonException e) {
            var at = e.getLocation();
            String where = at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr();
            throw new Problem(400, "The body is not well-formed JSON" + where + ".");
        }
    }

    // half a surrogate pair, written as an escape, would turn into "?" in UTF-8: two passwords would become one
    private static String wellFormed(String text) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new Problem(400, "The body has an unpaired surrogate in a string.");
        }
        return text;
    }
}
