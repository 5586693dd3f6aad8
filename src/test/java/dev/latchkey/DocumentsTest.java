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
    private static final Path MAIN = Path.of("src/main/java/dev/latchkey");
    private static final Pattern SIZE = Pattern.compile("\\| (.*) \\| ([\\d,]+) \\|");
    private static final Pattern QUOTED = Pattern.compile("`([^`]+)`");
    private static final Pattern COMMENT = Pattern.compile(
            "(\"{3}[\\s\\S]*?\"{3}|\"(?:\\\\.|[^\"\\\\\n])*+\"|'(?:\\\\.|[^'\\\\\n])++')|/\\*[\\s\\S]*?\\*/|//[^\n]*");
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

    /** A row names packages and classes, and after "without" those that do not count. A row without names is all. */
    @Test
    void the_readme_states_the_code_lines_of_each_part_of_the_source_within_2_percent() throws IOException {
        List<String> rightRows = new ArrayList<>();
        int rows = 0;
        for (String line : Files.readAllLines(README)) {
            var row = SIZE.matcher(line);
            if (row.matches()) {
                rows++;
                String[] parts = row.group(1).split(" without ", 2);
                long lines = codeLines(parts[0]) - (parts.length == 1 ? 0 : codeLines(parts[1]));
                long stated = Long.parseLong(row.group(2).replace(",", ""));
                if (Math.abs(stated - lines) * 50 > lines) {
                    rightRows.add("| %s | %,d |".formatted(row.group(1), lines));
                }
            }
        }
        assertEquals(5, rows);
        assertEquals("", String.join("\n", rightRows), "Put these rows into the README.");
    }

    private static long codeLines(String names) throws IOException {
        List<String> paths = QUOTED.matcher(names)
                .results()
                .map(name -> MAIN.resolve(name.group(1)).toString())
                .toList();
        long lines = 0;
        try (Stream<Path> files = Files.walk(MAIN)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                String path = file.toString();
                boolean counts = paths.isEmpty()
                        || paths.contains(path.replace(".java", ""))
                        || paths.contains(file.getParent() + "");
                lines += counts && path.endsWith(".java") ? codeLines(file) : 0;
            }
        }
        return lines;
    }

    // Lines that are neither blank nor comments, imports or the package.
    private static long codeLines(Path file) throws IOException {
        return COMMENT.matcher(Files.readString(file))
                .replaceAll("$1")
                .lines()
                .filter(line -> !line.isBlank() && !line.matches("\\s*(import|package)\\s.*"))
                .count();
    }

    @Test
    void the_readme_states_how_many_jars_the_two_direct_dependencies_bring() throws IOException {
        try (Stream<Path> jars = Files.list(Path.of("target/latchkey/lib"))) {
            String text = "bring " + (jars.count() - 2) + " more jars";
            assertTrue(Files.readString(README).contains(text), text);
        }
    }

    @Test
    void the_readme_has_at_most_150_lines() throws IOException {
        assertTrue(Files.readAllLines(README).size() <= 150);
    }
}
