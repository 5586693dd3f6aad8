package dev.latchkey.json;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonInclude.Include;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PushbackInputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.exc.JacksonIOException;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.ser.std.ToStringSerializerBase;

/** Reads and writes all JSON of the service. */
public final class Json {
    /** Dates as they are written: UTC with three decimals. Other programs may have stored them otherwise. */
    public static final DateTimeFormatter DATE =
            new DateTimeFormatterBuilder().appendInstant(3).toFormatter();

    private static final JsonInclude.Value PRESENT = JsonInclude.Value.construct(Include.NON_ABSENT, Include.ALWAYS);
    private static final SimpleModule DATES = new SimpleModule()
            .addSerializer(Instant.class, new ToStringSerializerBase(Instant.class) {
                @Override
                public String valueToString(Object value) {
                    return DATE.format((Instant) value);
                }
            });
    private static final JsonMapper MAPPER = JsonMapper.builder()
            // The order of a record's components is the published order.
            .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
            // Also for a missing field, unless it is optional.
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .withConfigOverride(Optional.class, optional -> optional.setInclude(PRESENT))
            .addModule(DATES)
            .build();

    private static final byte[] BYTE_ORDER_MARK = "\uFEFF".getBytes(StandardCharsets.UTF_8);
    private static final int MAX_NAME_LENGTH = 64; // Jackson keeps up to 12,000 names that clients have sent
    private static final int MAX_STRING_LENGTH = 2048;
    private static final int MAX_NUMBER_LENGTH = 64;
    private static final int MAX_DEPTH = 8;
    private static final JsonFactory CLIENT_JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNameLength(MAX_NAME_LENGTH)
                    .maxStringLength(MAX_STRING_LENGTH)
                    .maxNumberLength(MAX_NUMBER_LENGTH)
                    .maxNestingDepth(MAX_DEPTH)
                    .build())
            .build();

    private Json() {}

    /** Returns the value as JSON in UTF-8. */
    public static byte[] bytes(Object value) {
        return MAPPER.writeValueAsBytes(value);
    }

    /** Returns the value as JSON. */
    public static String text(Object value) {
        return MAPPER.writeValueAsString(value);
    }

    /**
     * Reads JSON from Redis. Unknown fields are ignored, because another program may have written them.
     *
     * @throws IllegalStateException if the JSON does not describe a {@code type}. The message does not quote the JSON.
     */
    public static <T> T read(String json, Class<T> type) {
        try {
            return MAPPER.readValue(json, type);
        } catch (JacksonException _) {
            // no cause: its message quotes the JSON, which may contain a password hash
            throw new IllegalStateException("the stored JSON is not a " + type.getSimpleName());
        }
    }

    /**
     * Returns the JSON object with one field replaced. Other fields stay unchanged, including unknown fields.
     *
     * @throws IllegalStateException if {@code json} is not an object. The message does not quote it.
     */
    public static String withField(String json, String field, String value) {
        return read(json, ObjectNode.class).put(field, value).toString();
    }

    /**
     * Reads one flat JSON object in UTF-8 from a client. A byte order mark before it is ignored. It is parsed while it
     * arrives, so that a large request body takes no more memory than a small one.
     *
     * @param onField receives each field's name and value: a {@link String}, an integer as a {@link Number}, or null
     * @throws InvalidJsonException if the text is not a JSON object, or exceeds a limit
     * @throws IOException if reading {@code body} fails
     */
    public static void readObject(InputStream body, BiConsumer<String, @Nullable Object> onField) throws IOException {
        var in = new PushbackInputStream(body, BYTE_ORDER_MARK.length);
        byte[] start = in.readNBytes(BYTE_ORDER_MARK.length);
        if (!Arrays.equals(start, BYTE_ORDER_MARK)) {
            in.unread(start);
        }
        // This decoder reports errors. Without it, Jackson would also detect UTF-16 and UTF-32, but RFC 8259 §8.1
        // allows only UTF-8.
        var text = new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder());
        try (var parser = CLIENT_JSON.createParser(ObjectReadContext.empty(), text)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new InvalidJsonException("The request body must be a JSON object.");
            }
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = wellFormed(parser.currentName());
                onField.accept(
                        name,
                        switch (parser.nextToken()) {
                            case VALUE_STRING -> wellFormed(parser.getString());
                            case VALUE_NUMBER_INT -> parser.getNumberValue();
                            default -> null;
                        });
                parser.skipChildren();
            }
            if (parser.nextToken() != null) {
                throw new InvalidJsonException("The request body must be a single JSON object with nothing after it.");
            }
        } catch (StreamConstraintsException _) {
            throw new InvalidJsonException("The request body exceeds a limit: names may have " + MAX_NAME_LENGTH
                    + " characters, strings " + MAX_STRING_LENGTH + ", numbers " + MAX_NUMBER_LENGTH
                    + ", and nesting " + MAX_DEPTH + " levels.");
        } catch (JacksonIOException e) {
            if (e.getCause() instanceof CharacterCodingException) {
                throw new InvalidJsonException("The request body is not valid UTF-8.");
            }
            throw e.getCause();
        } catch (JacksonException e) {
            var at = e.getLocation();
            String where = at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr();
            throw new InvalidJsonException("The request body is not well-formed JSON" + where + ".");
        }
    }

    // An escape can write half of a surrogate pair. UTF-8 would turn it into "?", and two passwords would become one.
    private static String wellFormed(String text) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new InvalidJsonException("The request body contains an unpaired surrogate.");
        }
        return text;
    }
}
