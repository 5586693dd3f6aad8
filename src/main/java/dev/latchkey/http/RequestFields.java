package dev.latchkey.http;

import dev.latchkey.json.InvalidJsonException;
import dev.latchkey.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The fields of a JSON object or query, and the errors in them.
 *
 * <p>First ask for each field, then call {@link #throwIfInvalid}, which throws one {@link Problem} with all errors. A
 * parser rejects a value with an {@link IllegalArgumentException} whose message follows the field's name, as in "must
 * be a number".
 */
public final class RequestFields {
    private static final int MAX_FIELDS = 20; // no route has as many, and a client cannot fill the memory

    private final String source;
    private final boolean emptyIsAbsent;
    private final Map<String, @Nullable String> values = new LinkedHashMap<>(); // null if it is not a string
    private final Set<String> known = new HashSet<>();
    private final Set<Problem.FieldError> errors = new LinkedHashSet<>(); // a field sent a thousand times is one error

    /** @param emptyIsAbsent whether an empty value counts as an absent field */
    RequestFields(String source, boolean emptyIsAbsent) {
        this.source = source;
        this.emptyIsAbsent = emptyIsAbsent;
    }

    /**
     * Reads a JSON object.
     *
     * @throws Problem 400 if it is malformed or exceeds a limit
     * @throws IOException if reading fails
     */
    static RequestFields readJson(InputStream body) throws IOException {
        var fields = new RequestFields("request body", false);
        try {
            Json.readObject(body, fields::add);
        } catch (InvalidJsonException e) {
            throw new Problem(400, String.valueOf(e.getMessage()));
        }
        return fields;
    }

    /** @param value null if it is not a string */
    void add(String field, @Nullable String value) {
        if (values.containsKey(field)) {
            addError(field, "must not be repeated");
        } else if (values.size() < MAX_FIELDS) { // otherwise, the request is rejected because of the others
            values.put(field, value);
        }
    }

    /** Returns the value as sent, or an empty text if the field is absent or not a string. */
    public String rawValue(String field) {
        return Objects.requireNonNullElse(values.get(field), "");
    }

    /** Returns a supplier of the value, to be used after {@link #throwIfInvalid}. */
    public <T> Supplier<T> required(String field, Function<String, T> parser) {
        if (isAbsent(field)) {
            addError(field, "is required");
        }
        return optional(field, parser)::orElseThrow;
    }

    /** Returns nothing if the field is absent or invalid. */
    public <T> Optional<T> optional(String field, Function<String, T> parser) {
        known.add(field);
        if (isAbsent(field)) {
            return Optional.empty();
        }
        String value = values.get(field);
        if (value == null) {
            addError(field, "must be a string");
            return Optional.empty();
        }
        try {
            return Optional.of(parser.apply(value));
        } catch (IllegalArgumentException e) {
            addError(field, String.valueOf(e.getMessage()));
            return Optional.empty();
        }
    }

    private boolean isAbsent(String field) {
        return emptyIsAbsent ? rawValue(field).isEmpty() : !values.containsKey(field);
    }

    private void addError(String field, String detail) {
        errors.add(new Problem.FieldError(field, detail));
    }

    /** @throws Problem 400 with all errors, including fields that no caller has asked for */
    public void throwIfInvalid() {
        values.keySet().stream()
                .filter(field -> !known.contains(field))
                .forEach(field -> addError(field, "is not a recognized field"));
        if (!errors.isEmpty()) {
            String detail = "The " + source + " is not valid.";
            throw new Problem(400, detail, errors.stream().limit(MAX_FIELDS).toList());
        }
    }
}
