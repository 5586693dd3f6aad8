package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What each package may import. HTTP types stay in {@code http} and {@code api}, Lettuce and netty in {@code redis}, and Jackson
 * in {@code json}, so that accounts, tokens and todos can be used without HTTP.
 */
class ArchitectureTest {
    private static final Path MAIN = Path.of("src/main/java/dev/latchkey");
    private static final Pattern IMPORT = Pattern.compile("^import (?:static )?([\\w.]+);", Pattern.MULTILINE);
    private static final String JDK = "java\\..*|org\\.jspecify\\..*";
    private static final String HTTP_SERVER = "|com\\.sun\\.net\\.httpserver\\..*";
    private static final Map<String, String> ALLOWED = Map.ofEntries(
            Map.entry("", ".*"),
            Map.entry(
                    "api",
                    JDK
                            + HTTP_SERVER
                            + ours(
                                    "api",
                                    "http",
                                    "accounts",
                                    "tokens",
                                    "todos",
                                    "redis",
                                    "encoding",
                                    "overload",
                                    "metrics")),
            Map.entry(
                    "http",
                    JDK + HTTP_SERVER + ours("http", "json", "logging", "overload", "metrics")
                            + "|dev\\.latchkey\\.tokens\\.(Caller|ClientInfo)"),
            Map.entry(
                    "accounts",
                    JDK + "|javax\\.crypto\\..*"
                            + ours("accounts", "tokens", "redis", "json", "encoding", "overload", "metrics")),
            Map.entry("tokens", JDK + ours("tokens", "redis", "json", "encoding", "overload")),
            Map.entry("todos", JDK + ours("todos", "tokens", "redis", "json", "encoding", "overload")),
            Map.entry("logging", JDK + ours("json", "logging")),
            Map.entry(
                    "redis",
                    JDK + "|javax\\.net\\.ssl\\..*|io\\.lettuce\\..*|io\\.netty\\..*|reactor\\.util\\.Loggers"
                            + ours("redis", "overload", "metrics")),
            Map.entry("json", JDK + "|tools\\.jackson\\..*|com\\.fasterxml\\.jackson\\.annotation\\..*"),
            Map.entry("encoding", JDK),
            Map.entry("metrics", JDK + ours("metrics") + "|com\\.sun\\.management\\..*"),
            Map.entry("overload", JDK));

    private static String ours(String... packages) {
        return "|dev\\.latchkey\\.(" + String.join("|", packages) + ")\\..*";
    }

    @Test
    void packages_import_only_what_they_may() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.walk(MAIN)) {
            files = all.filter(file -> file.toString().endsWith(".java")).toList();
        }
        assertTrue(files.size() > 20, "the sources were found");
        for (Path file : files) {
            Path folder = MAIN.relativize(file).getParent();
            Pattern allowed = Pattern.compile(ALLOWED.getOrDefault(folder == null ? "" : folder.toString(), ""));
            List<String> forbidden = IMPORT.matcher(Files.readString(file))
                    .results()
                    .map(result -> result.group(1))
                    .filter(name -> !allowed.matcher(name).matches())
                    .toList();
            assertEquals(List.of(), forbidden, file.toString());
        }
    }
}
