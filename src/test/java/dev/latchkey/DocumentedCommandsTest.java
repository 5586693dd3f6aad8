package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.latchkey.testing.Chaos;
import dev.latchkey.testing.Documents;
import dev.latchkey.testing.Documents.Block;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.Shell;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.json.JsonMapper;

/**
 * Runs the commands of the documents as they are written there. Only the address of the service is replaced, because
 * port 8080 may be in use.
 */
class DocumentedCommandsTest {
    /** Blocks that other tests run. */
    private static final Map<String, String> RUN_BY = Map.of(
            "deploy.md", "scripts/deployment",
            "operations.md, Redis user", RedisUserTest.class.getSimpleName(),
            "operations.md, TLS", RedisTlsTest.class.getSimpleName(),
            "operations.md, Metrics", PrometheusTest.class.getSimpleName());

    /** The first lines of the blocks that no test runs. */
    private static final Set<String> NOT_RUN = Set.of(
            // These need Docker, an image, or Maven.
            "docker compose run --rm latchkey user set-password alice",
            "docker build -t latchkey .",
            "docker run --memory 448m -p 8080:8080 -e REDIS_URL=redis://redis.example:6379 \\",
            "scripts/run",
            "scripts/verify-build | diff SHA256SUMS -", // ScriptsTest runs it without Maven
            "scripts/chaos", // breaks Redis for a minute; ChaosTest injects the same faults
            "npm install openapi-fetch openapi-typescript typescript@5", // scripts/openapi runs these programs
            "sequenceDiagram");

    /** Documents whose examples depend on each other. In other documents, each section stands alone. */
    private static final List<String> IN_ORDER = List.of("README.md", "api.md", "example.md");

    /** A command, and what it prints. */
    private static final Pattern STEP = Pattern.compile("(?m)^\\$ (.*)\n((?:[^$].*\n)*)");

    private static final JsonMapper JSON = new JsonMapper();

    @TempDir
    private Path folder;

    private EmbeddedRedis redis;
    private Shell shell;
    private int servicePort;

    @BeforeEach
    void start() throws IOException {
        String curl = Shell.require("curl");
        redis = EmbeddedRedis.start();
        servicePort = EmbeddedRedis.freePort();
        shell = new Shell(folder, Map.of("REDIS_URL", redis.url(), "PORT", Integer.toString(servicePort)));
        // Keeps the headers and the body of the last response. A document may show a response that its command reads.
        shell.replace(
                "curl",
                "cd " + folder + "; set -o pipefail; " + curl + " -v --no-progress-meter \"$@\" 2>head | tee body\n");
    }

    private void provideRedisCli() throws IOException {
        String program = Shell.require("redis-cli");
        shell.replace("redis-cli", "exec " + program + " -p " + redis.port() + " \"$@\"\n");
    }

    @AfterEach
    void stop() throws IOException {
        if (shell != null) { // The shell is null if a program is not installed.
            shell.close();
            redis.close();
        }
    }

    static List<String> groups() throws IOException {
        return Documents.blocks().stream()
                .filter(block -> !NOT_RUN.contains(block.firstLine()))
                .map(DocumentedCommandsTest::group)
                .filter(group -> !RUN_BY.containsKey(group))
                .distinct()
                .toList();
    }

    private static String group(Block block) {
        boolean whole = IN_ORDER.contains(block.document()) || RUN_BY.containsKey(block.document());
        return whole ? block.document() : block.document() + ", " + block.heading();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("groups")
    void every_block_works_as_documented(String group) throws Exception {
        List<Block> blocks = Documents.blocks().stream()
                .filter(block -> group(block).equals(group) && !NOT_RUN.contains(block.firstLine()))
                .toList();
        switch (group) {
            case "README.md" -> readme(only(blocks));
            case "api.md", "example.md" -> api(blocks);
            case "configuration.md, Configuration" -> configurationErrors(only(blocks));
            case "operations.md, Without Docker" -> jar(only(blocks));
            case "operations.md, Accounts" -> accounts(only(blocks));
            case "operations.md, Release files" -> checksums(only(blocks));
            case "operations.md, Logs" -> logLines(only(blocks));
            case "operations.md, Import users" -> importedUsers(only(blocks));
            case "operations.md, Troubleshooting" -> tokensOfOtherPrograms(only(blocks));
            default -> fail("No test runs these blocks, and they are not listed in NOT_RUN: " + blocks);
        }
    }

    private static String only(List<Block> blocks) {
        assertEquals(1, blocks.size(), "No test runs some of these blocks: " + blocks);
        return blocks.getFirst().text();
    }

    /** Types the commands of a terminal session, with the issued token in place of the documented one. */
    private void readme(String session) throws Exception {
        String documented = "none";
        String issued = "none";
        try (var app = TestApp.startOn(redis.url(), "LOGIN_THROTTLE", "true")) {
            String text = session.replace("localhost:8080", "localhost:" + app.port());
            for (MatchResult step : STEP.matcher(text).results().toList()) {
                String printed = shell.run(step.group(1).replace(documented, issued));
                assertEquals(json(step.group(2)), json(printed), step::group);
                if (printed.contains("\"token\"")) {
                    documented = token(step.group(2));
                    issued = token(printed);
                }
            }
        }
    }

    private static String token(String body) {
        return body.replaceFirst("(?s).*\"token\":\"([^\"]*)\".*", "$1");
    }

    private void api(List<Block> blocks) throws Exception {
        String[] settings = {
            "LOGIN_THROTTLE", "true",
            "INTROSPECTION_CLIENT_ID", "resource-server",
            "INTROSPECTION_CLIENT_SECRET", "3f9c0e7d5b1a48c2964e8d7f20b6a1c5",
        };
        try (var app = TestApp.startOn(redis.url(), settings)) {
            for (Block block : blocks) {
                switch (block.language()) {
                    case "sh" -> run(block, app);
                    case "http" -> assertResponse(block);
                    default -> fail("a block in another language: " + block);
                }
            }
        }
    }

    private void run(Block block, TestClient service) throws IOException {
        Files.deleteIfExists(folder.resolve("head"));
        Files.deleteIfExists(folder.resolve("body"));
        assertTrue(block.text().contains("http://localhost:8080/"), block::toString);
        shell.run(block.text().replace("localhost:8080", "localhost:" + service.port()));
    }

    /** Returns the status line and the headers of the last response, as {@code curl -v} prints them. */
    private List<String> head() throws IOException {
        List<String> head = Files.readAllLines(folder.resolve("head"));
        head.removeIf(line -> !line.startsWith("< "));
        head.replaceAll(line -> line.substring(2).strip());
        return head;
    }

    private void assertResponse(Block documented) throws IOException {
        String[] parts = documented.text().split("\n\n", 2);
        List<String> expected =
                parts[0].lines().map(DocumentedCommandsTest::lowerCaseName).toList();
        List<String> head = head();
        head.replaceAll(DocumentedCommandsTest::lowerCaseName);
        assertEquals(expected.getFirst(), head.getFirst(), documented::toString);
        assertTrue(head.containsAll(expected), documented + "\n" + expected + "\n" + head);
        // With curl -i, the body follows the headers.
        String body = Files.readString(folder.resolve("body")).replaceFirst("(?s)^HTTP/.*?\r\n\r\n", "");
        assertEquals(parts.length == 1 ? "" : json(parts[1]), json(body), documented::toString);
    }

    private static String lowerCaseName(String header) {
        int colon = header.indexOf(':');
        return colon < 0
                ? header
                : header.substring(0, colon).toLowerCase(Locale.ROOT) + masked(header.substring(colon));
    }

    private static String json(String text) {
        return text.isBlank() ? "" : JSON.readTree(masked(text)).toPrettyString();
    }

    /** Replaces values that differ between runs. A value of another form than documented stays, and fails the test. */
    private static String masked(String text) {
        return text.replaceAll("[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "UUID")
                .replaceAll("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z", "DATE")
                .replaceAll("\"id\":\"[\\w-]{22}\"", "\"id\":\"SESSION\"")
                .replaceAll("^: \"[\\w-]{16}\"$", ": ETAG")
                .replaceAll("\"exp\":\\d{10}", "\"exp\":0")
                .replaceAll("curl/[0-9.]+", "curl/VERSION")
                .replaceAll("\"(\\d+\\.){3}\\d+\"", "\"ADDRESS\"");
    }

    private static void configurationErrors(String documented) throws Exception {
        String[] settings = {
            "PORT", "x",
            "REDIS_URL", "localhost:6379",
            "SHUTDOWN_GRACE_SECONDS", "5",
            "SHUTDOWN_LAME_DUCK_SECONDS", "5",
        };
        Process process = ServiceProcess.java(List.of(), settings);
        assertEquals(documented, new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertEquals(2, process.waitFor());
    }

    /** Does not build the project: in place of Maven, a script provides a jar that refers to the classes of this build. */
    private void jar(String commands) throws Exception {
        writeJar(folder.resolve("stand-in.jar"));
        shell.replace(
                "mvn",
                "[ \"$*\" = 'package -DskipTests' ] && mkdir -p target/latchkey && mv *.jar target/latchkey/latchkey.jar");
        shell.run("{\n" + commands + "} >service.log 2>&1 &");
        try (var client = new TestClient(servicePort)) {
            Load.await(() -> client.responds("/health/ready", 200));
            expect(201, client.register("alice"));
        }
    }

    // Has the manifest of the jar that Maven builds.
    private static void writeJar(Path jar) throws IOException {
        var manifest = new Manifest();
        var attributes = manifest.getMainAttributes();
        attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        attributes.put(Attributes.Name.MAIN_CLASS, "dev.latchkey.Main");
        try (Stream<Path> libraries = Files.list(Path.of("target/latchkey/lib"))) {
            attributes.put(
                    Attributes.Name.CLASS_PATH,
                    Stream.concat(Stream.of(Path.of("target/classes")), libraries)
                            .map(path -> path.toUri().toString())
                            .collect(Collectors.joining(" ")));
        }
        new JarOutputStream(Files.newOutputStream(jar), manifest).close();
    }

    private void accounts(String commands) throws IOException {
        writeJar(Files.createDirectories(folder.resolve("target/latchkey")).resolve("latchkey.jar"));
        List<String> printed = shell.run("export REDIS_TIMEOUT_MS=10000; {\n" + commands + "} 2>/dev/null")
                .lines()
                .toList();
        assertEquals("alice: created, sessions ended: 0", printed.getFirst());
        assertTrue(printed.get(1).matches("alice\t\\S+Z\tenabled"), printed::toString);
        assertEquals("alice: deleted, sessions ended: 0", printed.getLast());
    }

    private void checksums(String command) throws IOException {
        Shell.require("sha256sum");
        shell.run("echo 1 >latchkey.jar; sha256sum latchkey.jar >SHA256SUMS");
        assertEquals("latchkey.jar: OK", shell.run(command));
    }

    private void logLines(String documented) throws Exception {
        List<String> printed;
        try (var service = ServiceProcess.start(redis.url())) {
            service.newToken("alice");
            printed = service.stop().stream()
                    .map(DocumentedCommandsTest::withoutValues)
                    .toList();
        }
        documented.lines().forEach(line -> assertTrue(printed.contains(withoutValues(line)), line + "\n" + printed));
    }

    private static String withoutValues(String logLine) {
        return logLine.replaceFirst("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ", "DATE ")
                .replaceAll("=(\"[^\"]*\"|\\S+)", "=VALUE");
    }

    private void tokensOfOtherPrograms(String commands) throws IOException {
        provideRedisCli();
        redis.send("SET tokens:d6ad7dae-c147-4513-a58b-2a2516cff3b7 alice");
        redis.send("SET tokens:00000000-0000-4000-8000-000000000000 bob");
        assertEquals("tokens:d6ad7dae-c147-4513-a58b-2a2516cff3b7\n1", shell.run(commands));
    }

    /** The block has hashes that Django 3.2 and Passlib 1.7 have made. */
    private void importedUsers(String block) throws Exception {
        provideRedisCli();
        String failed =
                "hash=$(django_hash 'bcrypt$x$y$z') || true; import_user dave \"$hash\" 2026-03-19T12:00:00.000Z";
        assertTrue(shell.run(block + failed + " || echo refused").endsWith("refused"));
        assertEquals("$-1\r\n", redis.send("GET users:dave"));
        try (var app = TestApp.startOn(redis.url())) {
            for (String name : List.of("alice", "bob+1@example.com", "carol")) {
                assertEquals(200, app.login(name, TestApp.PASSWORD).status(), name);
                assertEquals(401, app.login(name, TestApp.PASSWORD + "x").status(), name);
            }
        }
    }

    @Test
    void the_redis_commands_within_sentences_work() throws IOException {
        provideRedisCli();
        redis.send("SET tokens:d6ad7dae-c147-4513-a58b-2a2516cff3b7 alice");
        List<String> printed = new ArrayList<>();
        for (String command : inline("redis-cli ")) {
            printed.add(shell.run(command.replace("KEY", "tokens:d6ad7dae-c147-4513-a58b-2a2516cff3b7")));
        }
        assertTrue(printed.removeFirst().contains("used_memory_human:"), "INFO memory");
        assertEquals(List.of("OK", "tokens:d6ad7dae-c147-4513-a58b-2a2516cff3b7", "alice", "1"), printed);
    }

    @Test
    void every_block_that_is_listed_as_not_run_exists() throws IOException {
        List<String> lines = Documents.blocks().stream().map(Block::firstLine).toList();
        assertTrue(lines.containsAll(NOT_RUN), () -> NOT_RUN + "\n" + lines);
    }

    /** Does not run the scripts, because they build the project and take minutes. */
    @Test
    void every_script_test_and_property_that_a_document_names_exists() throws Exception {
        String sources = sources();
        for (String command : scripts()) {
            String[] words = command.split(" ", -1);
            assertTrue(Files.isExecutable(Path.of(words[0])), command);
            for (String word : Arrays.asList(words).subList(1, words.length)) {
                if (word.startsWith("-Dtest=")) {
                    assertTestsExist(word.substring("-Dtest=".length()));
                } else if (word.startsWith("-D")) {
                    String property = word.substring(2).replaceFirst("=.*", "");
                    boolean read = Pattern.compile("\\b" + Pattern.quote(property) + "\\b")
                            .matcher(sources)
                            .find();
                    assertTrue(read, () -> command + ": nothing reads " + property);
                } else if (word.startsWith("--")) {
                    String script = Files.readString(Path.of(words[0]));
                    assertTrue(script.contains(word) || script.contains('"' + word.substring(2) + '"'), command);
                } else if (command.startsWith("scripts/test --quick ")) {
                    assertTestsExist(word.replace("#METHOD", ""));
                } else if (command.startsWith("scripts/chaos ") && word.matches("[A-Z_]+")) {
                    assertNotNull(Chaos.Fault.valueOf(word));
                }
            }
        }
    }

    private static List<String> scripts() throws IOException {
        List<String> commands = new ArrayList<>(inline("scripts/"));
        for (Block block : Documents.blocks()) {
            block.text().lines().filter(line -> line.startsWith("scripts/")).forEach(commands::add);
        }
        return commands.stream().filter(command -> !command.contains("[")).toList();
    }

    /** Returns the commands in the text of all documents that start as given. */
    private static List<String> inline(String start) throws IOException {
        List<String> commands = new ArrayList<>();
        for (Path document : Documents.all()) {
            Pattern.compile("`(" + start + "[^`]+)`")
                    .matcher(Files.readString(document))
                    .results()
                    .forEach(match -> commands.add(match.group(1)));
        }
        return commands;
    }

    private static void assertTestsExist(String patterns) throws IOException {
        for (String pattern : patterns.replace("'", "").split(",", -1)) {
            Pattern name = Pattern.compile(pattern.replace("*", ".*") + "\\.java");
            try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
                assertTrue(
                        files.anyMatch(file ->
                                name.matcher(file.getFileName().toString()).matches()),
                        pattern);
            }
        }
    }

    /** Returns the text of pom.xml and of all tests. */
    private static String sources() throws IOException {
        var text = new StringBuilder(Files.readString(Path.of("pom.xml")));
        try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                text.append(Files.readString(file));
            }
        }
        return text.toString();
    }
}
