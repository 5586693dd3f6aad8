package dev.latchkey.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RequestTest {
    private static final String JSON = "application/json";

    // Quadratic time would be minutes, and recursion would overflow the stack.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "; | true | true",
                "` ` | true | true",
                "`; ` | true | true",
                "a | false | true",
                ";a=b | true | true",
                ";a=\"b\" | true | false",
                ";a=\"\\\"\" | true | false",
                "\\a | false | true",
                "\" | false | false"
            })
    void a_long_media_type_is_parsed_in_linear_time(String part, boolean isJson, boolean isJsonIfQuoted) {
        String parts = part.repeat(1_000_000);
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            assertEquals(isJson, Request.isType(JSON, "application/json" + parts));
            assertEquals(isJsonIfQuoted, Request.isType(JSON, "application/json;a=\"" + parts + "\""));
            assertEquals(false, Request.isType(JSON, "application/json" + parts + "("));
            assertEquals(false, Request.isType(JSON, "application/json;a=\"" + parts));
        });
    }
}
