package dev.latchkey.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.json.Json;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

class JsonTest {
    private record Dated(String name, Instant date) {}

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "{\"a\":\"b\"",
                "{\"a\":\"b\",}",
                "{'a':'b'}",
                "{a:\"b\"}",
                "{\"a\":\"b\"} x",
                "{}{}",
                "[]",
                "\"a\"",
                "null",
                "1",
                "{\"a\":NaN}",
                "{\"a\":01}",
                "{\"a\":\"\n\"}",
                "{\"a\":\"\\x\"}",
                "// c\n{}",
                "{\"a\":\"\\ud800\"}",
                "{\"\\udc00\":\"\"}"
            })
    void what_is_not_one_json_object_is_a_400(String body) {
        assertStatus(400, body.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void deep_nesting_is_a_400() {
        assertStatus(400, ("{\"a\":" + "[".repeat(5000) + "]".repeat(5000) + "}").getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-16", "UTF-16LE", "UTF-32", "ISO-8859-1"})
    void utf_8_is_the_only_charset(String charset) {
        assertStatus(400, "{\"a\":\"é\"}".getBytes(Charset.forName(charset)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\u00c0\u00af", "\u00ed\u00a0\u0080", "\u00f5\u0080\u0080\u0080", "\u00ff", "\u00e9"})
    void invalid_utf_8_is_a_400(String bytes) {
        assertStatus(400, ("{\"a\":\"" + bytes + "\"}").getBytes(StandardCharsets.ISO_8859_1));
    }

    @Test
    void names_strings_numbers_and_levels_are_limited() throws Exception {
        for (String limited : List.of(
                "{\"" + "n".repeat(65) + "\":1}",
                "{\"a\":\"" + "s".repeat(2049) + "\"}",
                "{\"a\":" + "9".repeat(65) + "}",
                "{\"a\":" + "[".repeat(8) + "]".repeat(8) + "}")) {
            var problem = assertThrows(Problem.class, () -> fields(limited.getBytes(StandardCharsets.UTF_8)));
            assertEquals(400, problem.response().status());
            assertTrue(String.valueOf(problem.getMessage()).contains("2048"), problem.getMessage());
        }
        var longest =
                fields(("{\"" + "n".repeat(64) + "\":\"" + "s".repeat(2048) + "\"}").getBytes(StandardCharsets.UTF_8));
        assertEquals(2048, longest.rawValue("n".repeat(64)).length());
    }

    @Test
    void no_more_than_20_fields_are_kept_and_reported() throws Exception {
        var body = new StringBuilder("{\"a\":1");
        for (int i = 0; i < 1000; i++) {
            body.append(",\"").append(i).append("\":\"x\"");
        }
        var problem = assertThrows(
                Problem.class,
                () -> fields((body + "}").getBytes(StandardCharsets.UTF_8)).throwIfInvalid());
        assertEquals(
                20,
                new JsonMapper()
                        .readTree(problem.response().body())
                        .get("errors")
                        .size());
    }

    @Test
    void all_faults_are_reported_at_once() throws Exception {
        var fields = fields("{\"a\":1,\"b\":\"x\",\"b\":\"y\",\"b\":\"z\",\"c\":\"z\",\"d\":{\"e\":[]}}"
                .getBytes(StandardCharsets.UTF_8));
        fields.required("a", Function.identity());
        fields.required("b", Integer::valueOf);
        fields.optional("d", Function.identity());
        fields.required("missing", Function.identity());
        var problem = assertThrows(Problem.class, fields::throwIfInvalid);
        List<String> faulty = new JsonMapper()
                .readTree(problem.response().body())
                .get("errors")
                .findValuesAsString("field");
        assertEquals(List.of("b", "a", "b", "d", "missing", "c"), faulty);
    }

    @Test
    void values_are_taken_as_they_were_sent() throws Exception {
        var fields = fields("{\"a\":\" \\u0000é😀 \"}".getBytes(StandardCharsets.UTF_8));
        var a = fields.required("a", Function.identity());
        fields.throwIfInvalid();
        assertEquals(" \0é😀 ", a.get());
    }

    @Test
    void dates_have_three_decimals_and_fields_the_order_of_the_record() {
        String json = Json.text(new Dated("n", Instant.parse("2026-03-19T12:00:00Z")));
        assertEquals("{\"name\":\"n\",\"date\":\"2026-03-19T12:00:00.000Z\"}", json);
        assertEquals(
                Instant.parse("2026-03-19T12:00:00Z"),
                Json.read(json, Dated.class).date());
    }

    @Test
    void a_stored_value_that_cannot_be_read_is_not_quoted() {
        var e = assertThrows(IllegalStateException.class, () -> Json.read("{\"name\":\"secret\"}", Dated.class));
        assertFalse(e.toString().contains("secret"));
    }

    private static RequestFields fields(byte[] body) throws IOException {
        return RequestFields.readJson(new ByteArrayInputStream(body));
    }

    private static void assertStatus(int status, byte[] body) {
        var problem = assertThrows(Problem.class, () -> fields(body));
        assertEquals(status, problem.response().status());
    }
}
