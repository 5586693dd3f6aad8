package dev.latchkey.config;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Reads environment variables and collects errors. A method that finds an error returns the default value.
 *
 * @param errors one line each
 */
record Environment(Map<String, String> variables, List<String> errors) {
    private static final int MAX_SECRET_BYTES = 8192;

    Environment(Map<String, String> variables) {
        this(variables, new ArrayList<>());
    }

    void error(String error) {
        errors.add(error);
    }

    /** An empty variable counts as unset. */
    String text(String name, String defaultValue) {
        String value = variables.getOrDefault(name, "").strip();
        return value.isEmpty() ? defaultValue : value;
    }

    /**
     * Returns the value of the variable, or the content of the file that {@code name_FILE} names. An error does
     * not quote the file's name, because an operator may have put the secret there.
     */
    String secret(String name, String defaultValue) {
        String file = text(name + "_FILE", "");
        String value = text(name, "");
        if (file.isEmpty()) {
            return value.isEmpty() ? defaultValue : value;
        }
        if (!value.isEmpty()) {
            error(name + " and " + name + "_FILE must not both be set");
            return defaultValue;
        }
        String expected = name + "_FILE must name a file of 1 to " + MAX_SECRET_BYTES + " bytes in UTF-8";
        try (var in = Files.newInputStream(Path.of(file))) {
            byte[] bytes = in.readNBytes(MAX_SECRET_BYTES + 1);
            var decoder = StandardCharsets.UTF_8.newDecoder();
            String text = decoder.decode(ByteBuffer.wrap(bytes)).toString();
            String secret = text.replaceFirst("^\uFEFF", "").strip(); // a byte order mark
            if (!secret.isEmpty() && bytes.length <= MAX_SECRET_BYTES) {
                return secret;
            }
            error(expected);
        } catch (IOException | InvalidPathException e) {
            error(expected + " (" + e.getClass().getSimpleName() + ")");
        }
        return defaultValue;
    }

    /** @param parser throws an IllegalArgumentException whose message continues the name of the variable */
    <T> T parsed(String name, String value, String defaultValue, Function<String, T> parser) {
        try {
            return parser.apply(value);
        } catch (IllegalArgumentException e) {
            error(name + " " + e.getMessage());
            return parser.apply(defaultValue);
        }
    }

    int number(String name, int defaultValue, int min, int max) {
        String text = text(name, Integer.toString(defaultValue));
        try {
            int number = Integer.parseInt(text);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException _) {
            // reported below, like a number that is out of range
        }
        String hint = text.startsWith("tcp://")
                ? ". Kubernetes sets it for a service of that name: set enableServiceLinks: false in the pod"
                : "";
        error(name + " must be a whole number from " + min + " to " + max + ", not '" + text + "'" + hint);
        return defaultValue;
    }

    /** The first value is the default. */
    <T> T choice(String name, List<T> values) {
        String text = text(name, values.getFirst().toString());
        for (T value : values) {
            if (value.toString().equalsIgnoreCase(text)) {
                return value;
            }
        }
        String allowed = values.stream()
                .map(value -> value.toString().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
        error(name + " must be one of " + allowed + ", not '" + text + "'");
        return values.getFirst();
    }
}
