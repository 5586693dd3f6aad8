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

/** Who may import what. Whoever adds an import that is not in here has an arrow to argue for. */
class ArchitectureTest {
    private static final Path MAIN = Path.of("src/main/java/dev/latchkey");
    private static final Pattern IMPORT = Pattern.compile("^import (?:static )?([\\w.]+);", Pattern.MULTILINE);
    private static final String JDK = "java\\..*|org\\.jspecify\\..*";
    private static final String HTTP = "|dev\\.latchkey\\.http\\..*";
    private static final String INNER = "|dev\\.latchkey\\.auth\\.(TokenStore\\.Issued|UserStore\\.Stored)";
    private static final String OVERLOAD = "|dev\\.latchkey\\.overload\\..*";
    private static final String REDIS = "|dev\\.latchkey\\.redis\\.Redis";
    private static final Map<String, String> ALLOWED = Map.ofEntries(
            Map.entry("http", JDK + "|com\\.sun\\.net\\.httpserver\\..*"),
            Map.entry("http/Json.java", JDK + "|tools\\.jackson\\..*|com\\.fasterxml\\.jackson\\.annotation\\..*"),
            Map.entry("http/Client.java", JDK + "|com\\.sun\\.net\\.httpserver\\..*|io\\.netty\\.util\\.NetUtil"),
            Map.entry("auth", JDK + INNER + "|javax\\.crypto\\..*" + HTTP + REDIS + OVERLOAD),
            Map.entry("auth/AuthFilter.java", JDK + HTTP + "|com\\.sun\\.net\\.httpserver\\..*"),
            Map.entry("auth/AuthRoutes.java", JDK + HTTP + INNER + OVERLOAD),
            Map.entry("todos", JDK + HTTP + REDIS + OVERLOAD),
            Map.entry("overload", JDK),
            Map.entry("ops", JDK + HTTP + REDIS + "|io\\.lettuce\\.core\\.Redis(Command\\w+)?Exception"),
            Map.entry(
                    "redis",
                    JDK + "|javax\\.net\\.ssl\\..*|io\\.lettuce\\..*|io\\.netty\\..*|reactor\\.util\\.Loggers"),
            Map.entry("", ".*"));

    @Test
    void imports_follow_the_arrows() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.walk(MAIN)) {
            files = all.filter(file -> file.toString().endsWith(".java")).toList();
        }
        assertTrue(files.size() > 20, "found the sources");
        for (Path file : files) {
            String name = MAIN.relativize(file).toString().replace('\\', '/');
            String folder = name.contains("/") ? name.substring(0, name.indexOf('/')) : "";
            Pattern allowed = Pattern.compile(ALLOWED.getOrDefault(name, ALLOWED.getOrDefault(folder, "")));
            List<String> wrong = IMPORT.matcher(Files.readString(file))
                    .results()
                    .map(result -> result.group(1))
                    .filter(name1 -> !allowed.matcher(name1).matches())
                    .toList();
            assertEquals(List.of(), wrong, name);
        }
    }
}
