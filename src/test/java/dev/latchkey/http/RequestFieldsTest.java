package dev.latchkey.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.json.Json;
import dev.latchkey.validation.DisplayName;
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

class RequestFieldsTest {
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
                "\uFEFF",
                "\uFEFF\uFEFF{}",
                " \uFEFF{}",
                "{}\uFEFF",
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
    void a_body_that_is_not_exactly_one_json_object_gets_a_400(String body) {
        assertStatus(400, body.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void deeply_nested_json_gets_a_400() {
        assertStatus(400, ("{\"a\":" + "[".repeat(5000) + "]".repeat(5000) + "}").getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-16", "UTF-16LE", "UTF-32", "ISO-8859-1"})
    void only_utf_8_is_accepted(String charset) {
        assertStatus(400, "{\"a\":\"é\"}".getBytes(Charset.forName(charset)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\u00c0\u00af", "\u00ed\u00a0\u0080", "\u00f5\u0080\u0080\u0080", "\u00ff", "\u00e9"})
    void invalid_utf_8_gets_a_400(String bytes) {
        assertStatus(400, ("{\"a\":\"" + bytes + "\"}").getBytes(StandardCharsets.ISO_8859_1));
    }

    @Test
    void the_length_of_names_strings_and_numbers_and_the_nesting_depth_are_limited() throws Exception {
        for (String oversized : List.of(
                "{\"" + "n".repeat(65) + "\":1}",
                "{\"a\":\"" + "s".repeat(2049) + "\"}",
                "{\"a\":" + "9".repeat(65) + "}",
                "{\"a\":" + "[".repeat(8) + "]".repeat(8) + "}")) {
            var problem = assertThrows(Problem.class, () -> fields(oversized.getBytes(StandardCharsets.UTF_8)));
            assertEquals(400, problem.response().status);
            assertTrue(String.valueOf(problem.getMessage()).contains("2048"), problem.getMessage());
        }
        var longest =
                fields(("{\"" + "n".repeat(64) + "\":\"" + "s".repeat(2048) + "\"}").getBytes(StandardCharsets.UTF_8));
        assertEquals(2048, longest.rawValue("n".repeat(64)).length());
    }

    @Test
    void at_most_20_fields_are_kept_and_reported() throws Exception {
        var body = new StringBuilder("{\"a\":1");
        for (int i = 0; i < 1000; i++) {
            body.append(",\"").append(i).append("\":\"x\"");
        }
        var fields = fields((body + ",\"late\":\"x\"}").getBytes(StandardCharsets.UTF_8));
        fields.required("late", Function.identity());
        var problem = assertThrows(Problem.class, fields::throwIfInvalid);
        List<String> names =
                new JsonMapper().readTree(problem.response().body).get("errors").findValuesAsString("field");
        assertEquals(20, names.size());
        assertEquals("late", names.getFirst(), "is not kept, and therefore missing");
    }

    @Test
    void all_errors_are_reported_in_one_response() throws Exception {
        var fields = fields("{\"a\":1,\"b\":\"x\",\"b\":\"y\",\"b\":\"z\",\"c\":\"z\",\"d\":{\"e\":[]}}"
                .getBytes(StandardCharsets.UTF_8));
        fields.required("a", Function.identity());
        fields.required("b", text -> DisplayName.check(text, 0));
        fields.optional("d", Function.identity());
        fields.required("missing", Function.identity());
        var problem = assertThrows(Problem.class, fields::throwIfInvalid);
        List<String> invalidFields =
                new JsonMapper().readTree(problem.response().body).get("errors").findValuesAsString("field");
        assertEquals(List.of("b", "a", "b", "d", "missing", "c"), invalidFields);
    }

    @Test
    void an_empty_value_counts_as_absent_in_a_query_only() throws Exception {
        var query = new RequestFields("query", true);
        query.add("a", "");
        query.required("a", Function.identity());
        assertThrows(Problem.class, query::throwIfInvalid);
        var body = fields("\uFEFF{\"a\":\"\"}".getBytes(StandardCharsets.UTF_8));
        var a = body.required("a", Function.identity());
        body.throwIfInvalid();
        assertEquals("", a.get());
    }

    @Test
    void values_are_not_changed() throws Exception {
        var fields = fields("{\"a\":\" \\u0000é😀 \"}".getBytes(StandardCharsets.UTF_8));
        var a = fields.required("a", Function.identity());
        fields.throwIfInvalid();
        assertEquals(" \0é😀 ", a.get());
    }

    @Test
    void dates_have_milliseconds_and_fields_are_in_the_order_of_the_record() {
        String json = Json.text(new Dated("n", Instant.parse("2026-03-19T12:00:00Z")));
        assertEquals("{\"name\":\"n\",\"date\":\"2026-03-19T12:00:00.000Z\"}", json);
        assertEquals(
                Instant.parse("2026-03-19T12:00:00Z"),
                Json.read(json, Dated.class).date());
    }

    @Test
    void the_error_for_an_unreadable_stored_value_does_not_quote_the_value() {
        var e = assertThrows(IllegalStateException.class, () -> Json.read("{\"name\":\"secret\"}", Dated.class));
        assertFalse(e.toString().contains("secret"));
    }

    private static RequestFields fields(byte[] body) throws IOException {
        return RequestFields.readJson(new ByteArrayInputStream(body));
    }

    private static void assertStatus(int status, byte[] body) {
        var problem = assertThrows(Problem.class, () -> fields(body));
        assertEquals(status, problem.response().status);
    }
}
