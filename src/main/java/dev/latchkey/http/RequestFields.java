package dev.latchkey.http;

import dev.latchkey.json.InvalidJsonException;
import dev.latchkey.json.Json;
import dev.latchkey.validation.FieldErrorCode;
import dev.latchkey.validation.InvalidValueException;
import dev.latchkey.validation.InvalidValueException.BrokenRule;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The fields of a JSON object or query, and the errors in them.
 *
 * <p>First ask for each field, then call {@link #throwIfInvalid}, which throws one {@link Problem} with all errors. A
 * parser rejects a value with an {@link InvalidValueException}.
 */
public final class RequestFields {
    private static final int MAX_FIELDS = 20; // no route has as many, and a client cannot fill the memory

    private final String source;
    private final boolean emptyIsAbsent;
    private final Map<String, @Nullable Object> values = new LinkedHashMap<>(); // a String, an integer, or null
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
            throw new Problem(ErrorCode.MALFORMED_REQUEST, String.valueOf(e.getMessage()));
        }
        return fields;
    }

    /** @param value a string or an integer; null if it is neither */
    void add(String field, @Nullable Object value) {
        if (values.containsKey(field)) {
            addError(field, new BrokenRule(FieldErrorCode.REPEATED, "must not be repeated"));
        } else if (values.size() < MAX_FIELDS) { // otherwise, the request is rejected because of the others
            values.put(field, value);
        }
    }

    /** Returns the value as sent, or an empty text if the field is absent or not a string. */
    public String rawValue(String field) {
        return values.get(field) instanceof String text ? text : "";
    }

    /** Returns a supplier of the value, to be used after {@link #throwIfInvalid}. */
    public <T> Supplier<T> required(String field, Function<String, T> parser) {
        if (isAbsent(field)) {
            addError(field, new BrokenRule(FieldErrorCode.REQUIRED, "is required"));
        }
        return optional(field, parser)::orElseThrow;
    }

    /** Returns nothing if the field is absent or invalid. */
    public <T> Optional<T> optional(String field, Function<String, T> parser) {
        known.add(field);
        if (isAbsent(field)) {
            return Optional.empty();
        }
        if (!(values.get(field) instanceof String value)) {
            addError(field, new BrokenRule(FieldErrorCode.WRONG_TYPE, "must be a string"));
            return Optional.empty();
        }
        try {
            return Optional.of(parser.apply(value));
        } catch (InvalidValueException e) {
            e.brokenRules().forEach(rule -> addError(field, rule));
            return Optional.empty();
        }
    }

    /** Returns nothing if the field is absent, or is not an integer of the range. */
    public Optional<Integer> optional(String field, int minimum, int maximum) {
        known.add(field);
        Object value = values.get(field);
        if (value instanceof Integer number && number >= minimum && number <= maximum) {
            return Optional.of(number);
        }
        if (values.containsKey(field)) {
            var code = value instanceof Number ? FieldErrorCode.OUT_OF_RANGE : FieldErrorCode.WRONG_TYPE;
            String detail = "must be an integer from " + minimum + " to " + maximum;
            addError(field, new BrokenRule(code, detail, minimum, maximum));
        }
        return Optional.empty();
    }

    private boolean isAbsent(String field) {
        return emptyIsAbsent ? rawValue(field).isEmpty() : !values.containsKey(field);
    }

    private void addError(String field, BrokenRule rule) {
        errors.add(new Problem.FieldError(field, rule.code(), rule.detail(), rule.minimum(), rule.maximum()));
    }

    /** @throws Problem 400 with all errors, including fields that no caller has asked for */
    public void throwIfInvalid() {
        values.keySet().stream()
                .filter(field -> !known.contains(field))
                .forEach(field -> addError(field, new BrokenRule(FieldErrorCode.UNKNOWN, "is not a recognized field")));
        if (!errors.isEmpty()) {
            String detail = "The " + source + " is not valid.";
            throw new Problem(detail, errors.stream().limit(MAX_FIELDS).toList());
        }
    }
}
