package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
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
    private static final Pattern COMMENT = Pattern.compile("(?s)/\\*.*?\\*/|//[^\n]*");
    private static final String JDK = "java\\..*|org\\.jspecify\\..*";
    private static final String HTTP_SERVER = "|com\\.sun\\.net\\.httpserver\\..*";
    private static final Map<String, String> ALLOWED = Map.ofEntries(
            Map.entry("", ".*"),
            Map.entry(
                    "cli",
                    JDK + ours("cli", "config", "accounts", "tokens", "redis", "logging", "overload", "validation")),
            Map.entry("config", JDK + ours("config", "api", "http", "tokens", "redis", "logging")),
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
                                    "metrics",
                                    "validation")),
            Map.entry(
                    "http",
                    JDK + HTTP_SERVER + ours("http", "json", "logging", "overload", "metrics", "validation")
                            + "|dev\\.latchkey\\.tokens\\.(Caller|ClientInfo)"),
            Map.entry(
                    "accounts",
                    JDK + "|javax\\.crypto\\..*"
                            + ours(
                                    "accounts",
                                    "tokens",
                                    "redis",
                                    "json",
                                    "encoding",
                                    "overload",
                                    "metrics",
                                    "validation")),
            Map.entry("tokens", JDK + ours("tokens", "redis", "json", "encoding", "overload", "validation")),
            Map.entry("todos", JDK + ours("todos", "tokens", "redis", "json", "encoding", "overload", "validation")),
            Map.entry("logging", JDK + ours("json", "logging")),
            Map.entry(
                    "redis",
                    JDK + "|javax\\.net\\.ssl\\..*|io\\.lettuce\\..*|io\\.netty\\..*|reactor\\.util\\.Loggers"
                            + ours("redis", "overload", "metrics")),
            Map.entry("json", JDK + "|tools\\.jackson\\..*|com\\.fasterxml\\.jackson\\.annotation\\..*"),
            Map.entry("encoding", JDK),
            Map.entry("validation", JDK + ours("validation")),
            Map.entry("metrics", JDK + ours("metrics") + "|com\\.sun\\.management\\..*"),
            Map.entry("overload", JDK));

    private static String ours(String... packages) {
        return "|dev\\.latchkey\\.(" + String.join("|", packages) + ")\\..*";
    }

    private static List<Path> files() throws IOException {
        try (Stream<Path> all = Files.walk(MAIN)) {
            return all.filter(file -> file.toString().endsWith(".java")).toList();
        }
    }

    /** Returns the name of the package below the root package, which itself has an empty name. */
    private static String packageOf(Path file) {
        Path folder = MAIN.relativize(file).getParent();
        return folder == null ? "" : folder.toString();
    }

    private static List<String> imports(Path file) throws IOException {
        return IMPORT.matcher(Files.readString(file))
                .results()
                .map(result -> result.group(1))
                .toList();
    }

    @Test
    void packages_import_only_what_they_may() throws IOException {
        assertTrue(files().size() > 20, "the sources were found");
        for (Path file : files()) {
            Pattern allowed = Pattern.compile(ALLOWED.getOrDefault(packageOf(file), ""));
            List<String> forbidden = imports(file).stream()
                    .filter(name -> !allowed.matcher(name).matches())
                    .toList();
            assertEquals(List.of(), forbidden, file.toString());
        }
    }

    @Test
    void packages_do_not_import_each_other_in_a_circle() throws IOException {
        Map<String, Set<String>> imported = new TreeMap<>();
        for (Path file : files()) {
            Set<String> names = imported.computeIfAbsent(packageOf(file), _ -> new TreeSet<>());
            imports(file).stream()
                    .filter(name -> name.startsWith("dev.latchkey."))
                    .map(name -> name.replaceFirst("dev\\.latchkey\\.(?:([a-z]+)\\.)?.*", "$1"))
                    .filter(name -> !name.equals(packageOf(file)))
                    .forEach(names::add);
        }
        assertNoCircle(imported);
    }

    @Test
    void classes_of_the_root_package_do_not_use_each_other_in_a_circle() throws IOException {
        List<Path> root =
                files().stream().filter(file -> packageOf(file).isEmpty()).toList();
        Map<String, Set<String>> used = new TreeMap<>();
        for (Path file : root) {
            String code = COMMENT.matcher(Files.readString(file)).replaceAll("");
            Set<String> names = used.computeIfAbsent(className(file), _ -> new TreeSet<>());
            root.stream()
                    .map(ArchitectureTest::className)
                    .filter(name -> !name.equals(className(file))
                            && Pattern.compile("\\b" + name + "\\b")
                                    .matcher(code)
                                    .find())
                    .forEach(names::add);
        }
        assertEquals(Set.of("App", "Core"), used.get("Main"), "the uses were found");
        assertNoCircle(used);
    }

    private static String className(Path file) {
        return file.getFileName().toString().replace(".java", "");
    }

    // Removes what uses nothing that is left, until nothing can be removed.
    private static void assertNoCircle(Map<String, Set<String>> uses) {
        Map<String, Set<String>> left = new TreeMap<>(uses);
        while (left.keySet().removeIf(name -> Collections.disjoint(uses.get(name), left.keySet()))) {}
        assertEquals(Map.of(), left);
    }
}
