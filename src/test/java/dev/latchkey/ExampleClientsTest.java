package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Shell;
import dev.latchkey.testing.TestApp;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The clients in {@code scripts/examples/clients}. {@code scripts/browser} runs {@code session.js}, and {@code
 * scripts/check-examples} runs {@code ResourceServer.java}.
 */
class ExampleClientsTest {
    private static final Path CLIENTS =
            Path.of("scripts", "examples", "clients").toAbsolutePath();
    private static final String PASSWORD = "it's a \"quoted\" \\ one";

    @TempDir
    private Path folder;

    @BeforeAll
    static void requireCurl() {
        Shell.require("curl");
    }

    private record Output(int code, String out, String err) {}

    private Output run(String input, String script, Object... arguments) throws Exception {
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        List<String> command = Stream.of(Stream.of("sh", CLIENTS.resolve(script)), Stream.of(arguments))
                .flatMap(parts -> parts)
                .map(Object::toString)
                .toList();
        var process = new ProcessBuilder(command)
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        try (var stdin = process.outputWriter()) {
            stdin.write(input);
        }
        return new Output(process.waitFor(), Files.readString(out), Files.readString(err));
    }

    private static String url(TestApp app) {
        return "http://127.0.0.1:" + app.port();
    }

    @Test
    void a_client_has_at_most_60_lines() throws Exception {
        try (Stream<Path> clients = Files.list(CLIENTS)) {
            for (Path client : clients.toList()) {
                assertTrue(Files.readAllLines(client).size() <= 60, client::toString);
            }
        }
    }

    @Test
    void the_curl_script_logs_in_refreshes_and_logs_out() throws Exception {
        try (var app = TestApp.start()) {
            String name = TestApp.newName();
            app.register(name, PASSWORD);
            Output output = run(PASSWORD + "\n", "curl.sh", url(app), name);
            assertEquals(0, output.code(), output.err());
            assertTrue(output.out().startsWith("{\"username\":\"" + name + "\","), output.out());
            assertEquals(List.of(), app.liveKeys(name));
            Output failed = run("wrong\n", "curl.sh", url(app), name);
            assertTrue(failed.code() != 0, failed.out());
            assertTrue(failed.err().contains("401"), failed.err());
        }
    }

    @Test
    void the_script_of_a_machine_waits_out_an_outage_and_says_when_it_needs_a_new_token() throws Exception {
        try (var redis = EmbeddedRedis.start();
                var app = TestApp.startOn(redis.url(), "REDIS_TIMEOUT_MS", "200")) {
            Path file = Files.writeString(folder.resolve("token"), app.newToken() + "\n");
            redis.send("CLIENT PAUSE 1500 ALL");
            Output output = run("", "machine.sh", url(app), file);
            assertEquals(0, output.code(), output.err());
            assertTrue(output.out().startsWith("{\"todos\":[]"), output.out());
            Files.writeString(file, app.unknownToken());
            Output refused = run("", "machine.sh", url(app), file);
            String reason = "machine.sh: status code 401 invalid_token\n";
            String advice = "machine.sh: the token has expired or was revoked. Issue a new one.\n";
            assertEquals(new Output(1, "", reason + advice), refused);
        }
    }

    @Test
    void the_java_client_refreshes_once_for_all_threads() throws Exception {
        int exitCode = ToolProvider.getSystemJavaCompiler()
                .run(
                        null,
                        null,
                        null,
                        "-d",
                        folder.toString(),
                        CLIENTS.resolve("Client.java").toString());
        assertEquals(0, exitCode);
        try (var app = TestApp.start("TOKEN_TTL", "2");
                var loader = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
            String name = TestApp.newName();
            app.register(name, PASSWORD);
            Class<?> type = loader.loadClass("Client");
            var constructor = type.getDeclaredConstructor(String.class, String.class, String.class);
            var request = type.getDeclaredMethod("request", String.class, String.class, String.class);
            constructor.setAccessible(true);
            request.setAccessible(true);
            Object client = constructor.newInstance(url(app), name, PASSWORD);
            Set<String> seen = new HashSet<>();
            while (seen.size() < 3) { // so many tokens
                for (var answer : TestApp.concurrently(8, () -> request.invoke(client, "GET", "/api/auth/me", ""))) {
                    assertEquals(200, ((HttpResponse<?>) answer).statusCode());
                }
                Map<String, String> index = app.redis().hgetall("sessions:" + name);
                assertEquals(1, index.size());
                seen.addAll(index.keySet());
            }
        }
    }
}
