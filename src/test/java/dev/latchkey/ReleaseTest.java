package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What a release ships: the SBOM, the list of libraries, the image's labels, and the workflows that test it. */
class ReleaseTest {
    private static final Path POM = Path.of("pom.xml");
    private static final Path LIBRARIES = Path.of("target/latchkey/lib");
    private static final Path DOCUMENT = Path.of("src/site/markdown/dependencies.md");

    /** Skips the test if Maven ran offline, or if scripts/test --quick has built the project after a change of pom.xml. */
    private static JsonNode sbom() throws IOException {
        Path file = Path.of("target/latchkey/latchkey.cdx.json");
        assumeTrue(
                Files.exists(file) && Files.getLastModifiedTime(file).compareTo(Files.getLastModifiedTime(POM)) >= 0,
                "Maven has made no SBOM since the last change of pom.xml");
        return new JsonMapper().readTree(Files.readString(file));
    }

    @Test
    void the_sbom_lists_exactly_the_libraries_that_are_shipped_with_their_checksums() throws Exception {
        Map<String, String> listed = new TreeMap<>();
        for (JsonNode component : sbom().get("components")) {
            listed.put(
                    component.get("name").asString() + "-"
                            + component.get("version").asString() + ".jar",
                    component
                            .get("hashes")
                            .valueStream()
                            .filter(hash -> hash.get("alg").asString().equals("SHA-256"))
                            .map(hash -> hash.get("content").asString())
                            .collect(Collectors.joining()));
        }
        Map<String, String> shipped = new TreeMap<>();
        try (Stream<Path> libraries = Files.list(LIBRARIES)) {
            for (Path library : libraries.toList()) {
                byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(library));
                shipped.put(library.getFileName().toString(), HexFormat.of().formatHex(digest));
            }
        }
        assertEquals(shipped, listed);
    }

    @Test
    void the_sbom_names_this_version_and_has_nothing_that_differs_between_two_builds() throws Exception {
        JsonNode sbom = sbom();
        assertEquals(pom("version"), sbom.at("/metadata/component/version").asString());
        assertFalse(sbom.has("serialNumber"));
        assertFalse(sbom.get("metadata").has("timestamp"));
        assertFalse(sbom.toString().contains(Path.of("").toAbsolutePath().toString()));
    }

    /** With {@code -Ddependencies.write}, writes the document first. That is what scripts/dependencies does. */
    @Test
    void the_document_lists_every_library_with_version_and_licence() throws Exception {
        String table = sbom().get("components")
                .valueStream()
                .map(ReleaseTest::row)
                .sorted()
                .collect(Collectors.joining("\n", "| library | version | licence |\n| --- | --- | --- |\n", "\n"));
        String document = Files.readString(DOCUMENT);
        String intro = document.substring(0, document.indexOf("| library"));
        if (System.getProperty("dependencies.write") != null) {
            document = intro + table;
            Files.writeString(DOCUMENT, document);
        }
        assertEquals(intro + table, document, "Run scripts/dependencies, which writes the document.");
    }

    private static String row(JsonNode component) {
        String licences = component
                .path("licenses")
                .valueStream()
                .map(choice -> choice.path("expression")
                        .asString(choice.at("/license/id")
                                .asString(choice.at("/license/name").asString(""))))
                .collect(Collectors.joining(", "));
        assertFalse(licences.isBlank(), () -> "no licence: " + component);
        return "| `%s:%s` | %s | %s |"
                .formatted(
                        component.get("group").asString(),
                        component.get("name").asString(),
                        component.get("version").asString(),
                        licences);
    }

    @Test
    void the_labels_of_the_image_match_the_project_and_the_base_image() throws Exception {
        String dockerfile = Files.readString(Path.of("Dockerfile"));
        List<String> bases = matches("(?m)^FROM (\\S+)", dockerfile);
        Map<String, String> labels = Pattern.compile("org\\.opencontainers\\.image\\.([a-z.]+)=\"([^\"]*)\"")
                .matcher(dockerfile)
                .results()
                .collect(Collectors.toMap(label -> label.group(1), label -> label.group(2)));
        assertEquals(
                Map.of(
                        "title", pom("name"),
                        "description", pom("description"),
                        "version", pom("version"),
                        "base.name", bases.getLast()),
                labels);
    }

    @Test
    void the_workflows_of_github_can_only_read_and_run_pinned_actions_and_the_scripts() throws Exception {
        assertWorkflow("ci.yml", "- run: .ci/run");
        assertWorkflow("races.yml", "- run: |");
        try (Stream<Path> workflows = Files.list(Path.of(".github/workflows"))) {
            assertEquals(2, workflows.count());
        }
    }

    private static void assertWorkflow(String name, String run) throws IOException {
        String workflow = Files.readString(Path.of(".github/workflows", name));
        assertEquals(List.of(run), linesWith("run", workflow));
        for (String uses : linesWith("uses", workflow)) {
            assertTrue(uses.matches("- uses: actions/[a-z-]+@[0-9a-f]{40} # v\\d+\\.\\d+\\.\\d+"), uses);
        }
        assertTrue(workflow.contains("\npermissions:\n  contents: read\njobs:\n"), workflow);
        assertEquals(List.of("permissions:"), linesWith("permissions", workflow));
        assertEquals(List.of("persist-credentials: false"), linesWith("credentials", workflow));
        assertEquals(List.of(), linesWith("secrets", workflow));
    }

    @Test
    void the_pipeline_of_gitlab_runs_the_script_in_the_image_of_the_build_stage() throws Exception {
        String pipeline = Files.readString(Path.of(".gitlab-ci.yml"));
        String image = matches("(?m)^FROM (\\S+) AS build", Files.readString(Path.of("Dockerfile")))
                .getFirst();
        assertEquals(List.of("script: .ci/run"), linesWith("\\w*script", pipeline));
        assertEquals(List.of("image: " + image), linesWith("image", pipeline));
        assertEquals(List.of(), linesWith("include|secrets|variables|id_tokens", pipeline));
    }

    /** Returns the lines that are not comments and contain the word, without their indentation. */
    private static List<String> linesWith(String word, String text) {
        Pattern pattern = Pattern.compile("\\b(" + word + ")\\b");
        return text.lines()
                .map(String::strip)
                .filter(line -> !line.startsWith("#") && pattern.matcher(line).find())
                .toList();
    }

    private static List<String> matches(String regex, String text) {
        return Pattern.compile(regex)
                .matcher(text)
                .results()
                .map((MatchResult match) -> match.group(1))
                .toList();
    }

    /** Returns the text of a child of the root element of pom.xml. */
    private static String pom(String name) throws Exception {
        Element project = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(POM.toFile())
                .getDocumentElement();
        for (var child = project.getFirstChild(); child != null; child = child.getNextSibling()) {
            if (child.getNodeName().equals(name)) {
                return child.getTextContent();
            }
        }
        throw new AssertionError("pom.xml has no element " + name);
    }
}
