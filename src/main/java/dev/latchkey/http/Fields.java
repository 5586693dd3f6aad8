package dev.latchkey.http;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The fields of one JSON object or query, and every fault found in them.
 *
 * <p>Ask for each field, then call {@link #check}: it throws one {@link Problem} that names all faults. A parser reports a
 * bad value by an {@link IllegalArgumentException} whose message completes "username …" and is sent to the client.
 */
public final class Fields {
    private static final int MAX_FIELDS = 20; // that are kept: no route has as many, so a client cannot fill the memory

    private final String source;
    private final Map<String, Optional<String>> values = new LinkedHashMap<>(); // empty: there, but not a string
    private final Set<String> known = new HashSet<>();
    private final Set<Problem.Fault> faults = new LinkedHashSet<>(); // a field given a thousand times is one fault

    Fields(String source) {
        this.source = source;
    }

    void add(String field, String value) {
        put(field, Optional.of(value));
    }

    void addNonString(String field) {
        put(field, Optional.empty());
    }

    private void put(String field, Optional<String> value) {
        if (values.size() == MAX_FIELDS && !values.containsKey(field)) {
            return; // it is refused for the others
        }
        if (values.putIfAbsent(field, value) != null) {
            fault(field, "must not be repeated");
        }
    }

    /** As it was sent; empty where it is absent or no string. */
    public String raw(String field) {
        return values.getOrDefault(field, Optional.empty()).orElse("");
    }

    /** The value, once {@link #check} has passed. */
    public <T> Supplier<T> required(String field, Function<String, T> parser) {
        if (!values.containsKey(field)) {
            fault(field, "is required");
        }
        return optional(field, parser)::orElseThrow;
    }

    /** Empty where the field is absent or at fault. */
    public <T> Optional<T> optional(String field, Function<String, T> parser) {
        known.add(field);
        Optional<String> value = values.get(field);
        if (value == null) {
            return Optional.empty();
        }
        if (value.isEmpty()) {
            fault(field, "must be a string");
        }
        try {
            return value.map(parser);
        } catch (IllegalArgumentException e) {
            fault(field, String.valueOf(e.getMessage()));
            return Optional.empty();
        }
    }

    private void fault(String field, String detail) {
        faults.add(new Problem.Fault(field, detail));
    }

    /** @throws Problem 400 with every fault found so far, fields that nobody asked for included */
    public void check() {
        for (String field : values.keySet()) {
            if (!known.contains(field)) {
                fault(field, "is not a known field");
            }
        }
        if (!faults.isEmpty()) {
            throw new Problem(
                    "The " + source + " does not validate.",
                    faults.stream().limit(MAX_FIELDS).toList());
        }
    }
}
