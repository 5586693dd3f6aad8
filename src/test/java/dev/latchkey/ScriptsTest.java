package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The scripts in a copy of the project's folder, with stand-ins for the programs that they call. */
class ScriptsTest {
    private record Result(int exitCode, String output) {}

    @TempDir
    private static Path temp;

    private static Path project;
    private static Path elsewhere; // with links to the scripts, and with the folders to which CDPATH could lead

    @BeforeAll
    static void copyProject() throws IOException {
        temp = temp.toRealPath();
        project = Files.createDirectories(temp.resolve("a project"));
        elsewhere = Files.createDirectories(temp.resolve("elsewhere"));
        for (String folder : new String[] {"scripts", ".mvn", "src", "target"}) {
            Files.createDirectory(project.resolve(folder));
        }
        Files.createDirectories(elsewhere.resolve("cdpath/scripts"));
        Files.createDirectories(elsewhere.resolve("cdpath/service/lib"));
        Files.createDirectories(elsewhere.resolve("service/lib"));
        try (var scripts = Files.list(Path.of("scripts"))) {
            for (Path script : scripts.filter(Files::isRegularFile).toList()) {
                Path name = script.getFileName();
                Files.copy(script, project.resolve(script), StandardCopyOption.COPY_ATTRIBUTES);
                if (Files.isExecutable(script)) {
                    Files.createSymbolicLink(
                            elsewhere.resolve("my-" + name),
                            Path.of("../a project/scripts").resolve(name));
                }
            }
        }
        Files.writeString(project.resolve("pom.xml"), "");
        Files.writeString(project.resolve("target/built"), "");
        Files.writeString(project.resolve("target/test.classpath"), "");
        for (String program : new String[] {"java", "javac", "mvn", "redis-cli", "curl"}) {
            Path file = Files.createDirectories(temp.resolve("bin")).resolve(program);
            Files.writeString(file, "#!/bin/sh\necho \"" + program + " in $PWD: $*\" | tee -a \"$CALLS\"\n");
            assertTrue(file.toFile().setExecutable(true));
        }
        Files.writeString(temp.resolve("release"), "JAVA_VERSION=\"25\"\n");
    }

    @BeforeEach
    void deleteDotenv() throws IOException {
        Files.deleteIfExists(project.resolve(".env"));
    }

    private static Result run(Path folder, String... command) throws IOException, InterruptedException {
        var builder = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        Map<String, String> environment = builder.environment();
        String path = temp.resolve("bin") + ":" + environment.get("PATH");
        environment.clear();
        environment.putAll(Map.of(
                "PATH", path,
                "LANG", "C.UTF-8",
                "CDPATH", elsewhere.resolve("cdpath").toString(),
                "JAVA25_HOME", temp.toString(),
                "CALLS", temp.resolve("calls").toString()));
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), output);
    }

    private static Result readX(String dotenv, String commandBefore) throws Exception {
        Files.writeString(project.resolve(".env"), dotenv);
        String script = commandBefore + "; set -euo pipefail; source scripts/dotenv.sh; printf %s \"${X-absent}\"";
        return run(project, "bash", "-c", script);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "X=1 | 1",
                "`X=1\r` | 1",
                "`X=1  ` | 1",
                "`  X=1` | 1",
                "`\tX=1` | 1",
                "\uFEFFX=1 | 1",
                "export X=1 | 1",
                "`  export\t X=1` | 1",
                "X = 1 | 1",
                "X: 1 | 1",
                "X= | ``",
                "X='' | ``",
                "X=\"\" | ``",
                "X=a b | a b",
                "X=a=b:c | a=b:c",
                "X=a\\nb | a\\nb",
                "X=a\"b' | a\"b'",
                "X=1 # comment | 1",
                "X=1 # comment # with ${Y} | 1",
                "X=a#b | a#b",
                "X= # no comment | # no comment",
                "X='a b' | a b",
                "X = 'a $b \"c\" # d' # comment | a $b \"c\" # d",
                "X=\"a 'b' # c\"# comment | a 'b' # c",
                "X='é' | é",
                "`# é\n\n  # Y\nX=1` | 1",
                "`X=1\nX=2` | 2",
                "`X=1\nX=` | ``",
                "`X=1\nx=2\nX.Y=3\nX-Y=4\n1X=5` | 1",
                "XY=1 | absent",
                "x=1 | absent"
            })
    void a_variable_in_dotenv_has_the_value_that_docker_compose_reads(String file, String value) throws Exception {
        assertEquals(new Result(0, value), readX(file, ":"));
        assertEquals(new Result(0, value), readX(file + "\r\n", ":"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "SECRET | 1",
                "export SECRET | 1",
                "=SECRET | 1",
                "X Y=SECRET | 1",
                "É=SECRET | 1",
                "\uFEFF\uFEFFX=SECRET | 1",
                "X=SECRET$Y | 1",
                "X=SECRET$ | 1",
                "X=\"SECRET${Y}\" | 1",
                "X=\"SECRET\\n\" | 1",
                "X='SECRET\\' | 1",
                "X='SECRET | 1",
                "`X=\"SECRET\n\"` | 1",
                "X='SECRET'Y | 1",
                "X='SECRET' Y=1 | 1",
                "X=SECRETé | 1",
                "X=\u2003SECRET | 1",
                "X=SECRET\t# comment | 1",
                "`X=1\n# comment\n\nX=\n SECRET` | 5",
                "`X=1\n\uFEFFX=SECRET` | 2"
            })
    void a_line_that_only_docker_compose_can_read_is_named_without_its_content(String file, int line) throws Exception {
        var result = readX(file, ":");
        assertEquals(2, result.exitCode());
        assertTrue(result.output().startsWith("latchkey: .env line " + line + ": expected "), result.output());
        assertEquals(1, result.output().lines().count(), result.output());
        assertFalse(result.output().contains("SECRET"), result.output());
    }

    @Test
    void the_environment_takes_precedence_over_dotenv() throws Exception {
        assertEquals(new Result(0, "1"), readX("X=2\nX=3", "export X=1"));
        assertEquals(new Result(0, ""), readX("X=2\nX=3", "export X="));
    }

    @ParameterizedTest
    @ValueSource(strings = {"run", "chaos", "crowd", "test", "demo", "release", "verify-build", "dependencies"})
    void a_script_works_through_a_link_and_with_cdpath(String script) throws Exception {
        String linked = run(temp, "elsewhere/my-" + script).output();
        assertTrue(linked.contains("in " + project + ":"), linked);
        String direct = run(project, "scripts/" + script).output();
        assertTrue(direct.contains("in " + project + ":"), direct);
    }

    @Test
    void archive_uses_the_given_folder_with_cdpath() throws Exception {
        run(elsewhere, "./my-archive", temp.toString(), "service", "x");
        String classPath = Files.readString(elsewhere.resolve("service/lib/classpath"));
        assertTrue(classPath.endsWith(":" + elsewhere.resolve("service/latchkey.jar") + "\n"), classPath);
    }

    /** In place of Maven, a script writes a jar with the given content. */
    private static Result verifyBuild(String content) throws Exception {
        Path mvn = Files.createDirectories(temp.resolve("verify")).resolve("mvn");
        Files.writeString(mvn, """
                #!/bin/bash
                folder=$(dirname "${@:$(($(printf '%%s\\n' "$@" | grep -n -x -e -f | cut -d: -f1) + 1)):1}")
                mkdir -p "$folder/target/latchkey/lib"
                touch "$folder/target/latchkey/lib/x.jar"
                echo %s >"$folder/target/latchkey/latchkey.jar"
                """.formatted(content));
        assertTrue(mvn.toFile().setExecutable(true));
        return run(project, "bash", "-c", "PATH=" + mvn.getParent() + ":$PATH; scripts/verify-build");
    }

    @ParameterizedTest
    @ValueSource(strings = {"$folder", "$TZ", "$(umask)", "$MAVEN_OPTS"})
    void verify_build_names_a_file_that_depends_on_the_surroundings(String content) throws Exception {
        var result = verifyBuild(content);
        assertEquals(1, result.exitCode(), result.output());
        assertTrue(result.output().contains("/target/latchkey/latchkey.jar differ\n"), result.output());
    }

    @Test
    void verify_build_prints_the_checksums_of_two_equal_builds() throws Exception {
        var result = verifyBuild("1");
        assertEquals(0, result.exitCode(), result.output());
        String checksum = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";
        assertTrue(result.output().contains("\n" + checksum + "  latchkey.jar\n"), result.output());
        assertTrue(result.output().contains("not compared: the SBOM"), result.output());
    }

    @Test
    void the_demo_reads_dotenv() throws Exception {
        Files.writeString(project.resolve(".env"), "PORT=1234\nREDIS_URL=redis://example:1\n");
        String calls = demo();
        assertTrue(calls.contains(" http://localhost:1234/health/live\n"), calls);
        assertTrue(calls.contains(": -u redis://example:1 PING\n"), calls);
    }

    @Test
    void the_url_of_the_demo_may_end_with_a_slash() throws Exception {
        String calls = demo("http://example:1/");
        assertTrue(calls.contains(" http://example:1/health/live\n"), calls);
        assertTrue(calls.contains(" http://example:1/api/auth/register\n"), calls);
    }

    /** Runs the demo, and returns the commands that it calls. */
    private static String demo(String... url) throws Exception {
        Files.deleteIfExists(temp.resolve("calls"));
        run(project, Stream.concat(Stream.of("scripts/demo"), Stream.of(url)).toArray(String[]::new));
        return Files.readString(temp.resolve("calls"));
    }
}
