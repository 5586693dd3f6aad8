package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Documents;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The README and the documents in {@code src/site/markdown}. */
class DocumentsTest {
    private static final Path README = Path.of("README.md");
    private static final Pattern LINK = Pattern.compile("]\\(([^)#]*)(#[^)]*)?\\)");
    private static final Pattern NAME = Pattern.compile("`(\\w+Test)`");

    @Test
    void every_relative_link_leads_to_a_file_and_a_heading() throws IOException {
        List<String> broken = new ArrayList<>();
        for (Path document : Documents.all()) {
            for (MatchResult link :
                    LINK.matcher(Files.readString(document)).results().toList()) {
                if (link.group(1).contains("://")) {
                    continue;
                }
                Path target = link.group(1).isEmpty() ? document : document.resolveSibling(link.group(1));
                if (!Files.exists(target)
                        || !(link.group(2) == null || anchors(target).contains(link.group(2)))) {
                    broken.add(document + ": " + link.group());
                }
            }
        }
        assertEquals(List.of(), broken);
    }

    private static List<String> anchors(Path document) throws IOException {
        return Files.readAllLines(document).stream()
                .filter(line -> line.startsWith("#"))
                .map(line -> "#"
                        + line.replaceFirst("#+ ", "").toLowerCase(Locale.ROOT).replaceAll("[^\\w -]", ""))
                .map(anchor -> anchor.replace(' ', '-'))
                .toList();
    }

    @Test
    void every_test_that_a_document_names_exists() throws IOException {
        List<String> missing = new ArrayList<>();
        List<String> tests;
        try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
            tests = files.map(file -> file.getFileName().toString().replace(".java", ""))
                    .toList();
        }
        for (Path document : Documents.all()) {
            NAME.matcher(Files.readString(document))
                    .results()
                    .map(name -> name.group(1))
                    .filter(name -> !tests.contains(name))
                    .forEach(name -> missing.add(document + ": " + name));
        }
        assertEquals(List.of(), missing);
    }

    @Test
    void the_readme_has_at_most_150_lines() throws IOException {
        assertTrue(Files.readAllLines(README).size() <= 150);
    }
}
