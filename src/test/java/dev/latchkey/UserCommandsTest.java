package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.Shell;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.Topology;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests the commands of an operator as processes, beside a running service. */
class UserCommandsTest {
    private static final String NEW_PASSWORD = "  a new and better one ";
    private static final String SESSION = "[A-Za-z0-9_-]{22}";

    private static EmbeddedRedis redis;
    private static TestApp app;

    @BeforeAll
    static void start() throws IOException {
        redis = EmbeddedRedis.start();
        app = TestApp.startOn(redis.url());
    }

    @AfterAll
    static void stop() throws IOException {
        app.close();
        redis.close();
    }

    private record Output(int code, String out, String err) {
        /** Asserts that the command has failed with one line and no other output. */
        void assertFailed(int code, String error) {
            assertEquals(new Output(code, "", "latchkey: " + error + "\n"), this);
        }

        /** Returns the audit lines without their time. */
        List<String> audit() {
            return err.lines()
                    .map(line -> line.replaceFirst("^\\S+Z INFO latchkey\\.audit ", ""))
                    .toList();
        }
    }

    /** Runs {@code latchkey user ...} with text on standard input. */
    private static Output run(String input, String... arguments) throws Exception {
        return runOn(redis.url(), input, arguments);
    }

    private static Output runOn(String url, String input, String... arguments) throws Exception {
        return runWith(Stream.of("REDIS_URL", url), input, arguments);
    }

    private static Output runWith(Stream<String> settings, String input, String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of("user"));
        all.addAll(List.of(arguments));
        var builder = ServiceProcess.builder(all, settings.toArray(String[]::new));
        builder.command().addAll(1, List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")); // half the time
        var process = builder.start();
        try {
            var err = CompletableFuture.supplyAsync(() -> text(process.getErrorStream()));
            try (var stdin = process.getOutputStream()) {
                stdin.write(input.getBytes(StandardCharsets.ISO_8859_1));
            } catch (IOException _) {
                // The process has ended without reading its input.
            }
            String out = text(process.getInputStream());
            assertTrue(process.waitFor(30, TimeUnit.SECONDS));
            return new Output(process.exitValue(), out, err.get());
        } finally {
            process.destroyForcibly();
        }
    }

    private static String text(InputStream stream) {
        try (stream) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String key(String name) {
        return "users:" + name;
    }

    private static void addField(String name) {
        app.redis().set(key(name), app.redis().get(key(name)).replaceFirst("\\{", "{\"email\":\"a@example.com\","));
    }

    private static void assertRevoked(String token) {
        assertEquals(401, app.get("/api/auth/verify", token).status());
        assertEquals(401, app.send("POST", "/api/auth/refresh", token, "").status());
    }

    @Test
    void set_password_creates_a_user_and_later_replaces_the_password_and_ends_all_sessions() throws Exception {
        String name = TestApp.newName();
        Output created = run(TestApp.PASSWORD + "\n", "set-password", name.toUpperCase(Locale.ROOT));
        assertEquals(name + ": created, sessions ended: 0\n", created.out());
        assertEquals(List.of("registered username=" + name + " session=\"\" source=command-line"), created.audit());
        String token = app.login(name, TestApp.PASSWORD).field("token");
        addField(name);

        Output changed = run(NEW_PASSWORD + "\r\nanother line", "set-password", name);
        assertEquals(name + ": password changed, sessions ended: 1\n", changed.out());
        assertEquals(0, changed.code());
        assertEquals(2, changed.audit().size(), changed.err());
        assertEquals(
                "password changed username=" + name + " session=\"\" source=command-line",
                changed.audit().getFirst());
        assertTrue(changed.audit()
                .getLast()
                .matches("session revoked username=" + name + " session=" + SESSION + " source=command-line"));
        assertRevoked(token);
        assertEquals(401, app.login(name, TestApp.PASSWORD).status());
        assertEquals(200, app.login(name, NEW_PASSWORD).status());
        assertTrue(app.redis().get(key(name)).contains("a@example.com"), "unknown fields must stay");
    }

    /** PowerShell pipes one. */
    @Test
    void a_byte_order_mark_is_no_part_of_a_password() throws Exception {
        String name = TestApp.newName();
        assertEquals(
                0,
                run("\u00ef\u00bb\u00bf" + NEW_PASSWORD + "\n", "set-password", name)
                        .code());
        assertEquals(200, app.login(name, NEW_PASSWORD).status());
    }

    /** The JDK cannot turn the echo off if standard output is a pipe. */
    @Test
    void a_password_is_not_read_from_a_terminal_with_echo() throws Exception {
        var command = ServiceProcess.builder(List.of("user", "set-password", "alice"), "REDIS_URL", redis.url());
        String line = command.command().stream().map(word -> "'" + word + "'").collect(Collectors.joining(" "));
        var onTerminal = new ProcessBuilder("script", "-qec", line + " | cat", "/dev/null").redirectErrorStream(true);
        onTerminal.environment().putAll(command.environment());
        Process process = onTerminal.start();
        String output = text(process.getInputStream());
        assertTrue(
                output.contains("latchkey: the password can only be typed if standard output is the terminal"), output);
        assertEquals(0, app.redis().exists(key("alice")));
    }

    @Test
    void a_name_that_the_locale_cannot_decode_is_an_error_that_says_so() throws Exception {
        var command = new ArrayList<>(List.of("bash", "-c", "exec \"$@\" $'j\\xc3\\xb6rg'", "bash"));
        var builder = ServiceProcess.builder(List.of("user", "delete"), "LC_ALL", "C", "REDIS_URL", redis.url());
        command.addAll(builder.command());
        Process process = builder.command(command).redirectErrorStream(true).start();
        String output = text(process.getInputStream());
        assertEquals("latchkey: the locale cannot decode the arguments: set LANG=C.UTF-8\n", output);
        assertEquals(2, process.waitFor());
    }

    @Test
    void a_disabled_user_cannot_log_in_until_the_password_is_set() throws Exception {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.redis().pexpire(key(name), 600_000);
        Output disabled = run("", "disable", name);
        assertEquals(name + ": disabled, sessions ended: 1\n", disabled.out());
        assertTrue(disabled.audit()
                .getFirst()
                .matches("account disabled username=" + name + " session=\"\" source=command-line"));
        assertRevoked(token);
        assertEquals(409, app.register(name).status());
        assertEquals(-1, app.redis().pttl(key(name)), "The username must stay taken.");
        var refused = app.login(name, TestApp.PASSWORD);
        var wrong = app.login(TestApp.newName(), TestApp.PASSWORD);
        assertEquals(401, refused.status());
        assertEquals(wrong.text(), refused.text());

        assertEquals(0, run(NEW_PASSWORD + "\n", "set-password", name).code());
        assertEquals(200, app.login(name, NEW_PASSWORD).status());
    }

    @Test
    void delete_removes_the_user_with_sessions_and_todos() throws Exception {
        String name = TestApp.newName();
        String token = app.newToken(name);
        app.send("POST", "/api/todos", token, "{\"name\":\"mine\"}");
        Output deleted = run("", "delete", name);
        assertEquals(name + ": deleted, sessions ended: 1\n", deleted.out());
        assertTrue(deleted.audit().getFirst().startsWith("account deleted username=" + name), deleted.err());
        assertRevoked(token);
        assertEquals(0, app.redis().exists(key(name), "sessions:" + name, "todos:" + name));
        run("", "delete", name).assertFailed(1, "no such user: " + name);
    }

    @Test
    void sessions_are_listed_without_control_characters_and_can_be_ended() throws Exception {
        String name = TestApp.newName();
        String token = app.newToken(name);
        String suffix = app.redis().hkeys("sessions:" + name).getFirst();
        String entry = app.redis().hget("sessions:" + name, suffix);
        String hostile =
                entry.replaceFirst("\"userAgent\":\"[^\"]*\"", "\"userAgent\":\"\\\\u001b[31m\\\\t\\\\n\\\\u202ex\"");
        app.redis().hset("sessions:" + name, suffix, hostile);
        String date = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z";
        Output listed = run("", "sessions", name);
        assertTrue(
                listed.out()
                        .matches(SESSION + "\t" + date + "\t" + date + "\t127\\.0\\.0\\.1\t\\?\\[31m\\?\\?\\?x\t\n"),
                listed.out());

        assertEquals(
                name + ": sessions ended: 1\n", run("", "end-sessions", name).out());
        assertRevoked(token);
        assertEquals(200, app.login(name, TestApp.PASSWORD).status());
        run("", "sessions", "somebody\u001b[31m").assertFailed(1, "no such user: somebody?[31m");
    }

    /** Other programs may write user records under names that this service does not allow. */
    @Test
    void users_whose_names_are_not_allowed_can_be_listed_disabled_and_deleted() throws Exception {
        String name = "Bob+" + TestApp.newName() + "@Example.com";
        String record = "{\"username\":\"" + name
                + "\",\"passwordHash\":\"$2b$10$x\",\"createdDate\":\"2026-03-19T12:00:00.000Z\"}";
        app.redis().set(key(name), record);
        assertTrue(run("", "list").out().contains(name + "\t2026-03-19T12:00:00.000Z\tenabled\n"));
        assertEquals(
                name + ": disabled, sessions ended: 0\n",
                run("", "disable", name).out());
        assertEquals(
                name + ": deleted, sessions ended: 0\n", run("", "delete", name).out());
        assertEquals(0, app.redis().exists(key(name)));
    }

    @Test
    void issue_token_prints_the_token_of_a_new_session_and_nothing_else() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        Output issued = run("", issueToken(name.toUpperCase(Locale.ROOT), "night backup", "7776000"));
        assertEquals(0, issued.code(), issued.err());
        String token = issued.out().strip();
        assertEquals(token + "\n", issued.out());
        assertEquals(200, app.verify(token).status());
        long ttl = app.redis().ttl(app.key(token));
        assertTrue(ttl > 7_775_000 && ttl <= 7_776_000, "TTL: " + ttl); // longer than a login may ask for
        assertTrue(
                issued.audit()
                        .getFirst()
                        .matches("token issued username=" + name + " session=" + SESSION
                                + " name=\"night backup\" source=command-line"),
                issued.err());
        assertFalse(issued.err().contains(token));
        Output sessions = run("", "sessions", name);
        assertTrue(sessions.out().matches(SESSION + "\t\\S+\t\\S+\t\t\tnight backup\n"), sessions.out());
        assertEquals(
                name + ": sessions ended: 1\n", run("", "end-sessions", name).out());
        assertRevoked(token);
    }

    @Test
    void end_sessions_with_all_ends_those_of_all_users() throws Exception {
        try (var own = EmbeddedRedis.start();
                var service = TestApp.startOn(own.url())) {
            List<String> tokens = new ArrayList<>();
            for (int i = 0; i < 600; i++) { // more than Redis returns at once
                String name = "user" + i;
                service.redis()
                        .hset(
                                "sessions:" + name,
                                "suffix" + i,
                                "{\"id\":\"a\",\"createdDate\":\"2026-03-19T12:00:00.000Z\","
                                        + "\"expiresDate\":\"2026-03-19T12:00:00.000Z\",\"userAgent\":\"\",\"address\":\"\"}");
                service.redis().set("tokens:suffix" + i, name, SetArgs.Builder.ex(60));
            }
            tokens.add(service.newToken());
            tokens.add(service.newToken());
            tokens.add(service.foreignToken("bob"));
            Output ended = runOn(own.url(), "", "end-sessions", "--all");
            assertEquals("sessions ended: 603\n", ended.out());
            assertEquals(
                    List.of("all sessions revoked username=\"\" session=\"\" sessions=603 source=command-line"),
                    ended.audit());
            for (String token : tokens) {
                assertEquals(401, service.verify(token).status());
            }
            assertEquals(List.of(), service.redis().keys("tokens:*"));
            assertEquals(List.of(), service.redis().keys("sessions:*"));
            assertEquals(2, service.redis().keys("users:*").size());
        }
    }

    private static String[] issueToken(String user, String name, String seconds) {
        return new String[] {"issue-token", user, "--expires-in", seconds, "--name", name};
    }

    @Test
    void issue_token_refuses_a_user_who_cannot_log_in() throws Exception {
        String name = TestApp.newName();
        run("", issueToken(name, "a", "60")).assertFailed(1, "no such user: " + name);
        app.register(name);
        run("", "disable", name);
        run("", issueToken(name, "a", "60")).assertFailed(1, name + " is disabled");
        app.redis().set(key(name), record(name, ""), SetArgs.Builder.ex(60));
        run("", issueToken(name, "a", "60")).assertFailed(1, "no such user: " + name);
        assertEquals(List.of(), app.liveKeys(name));
    }

    /** Nobody would know the token. */
    @Test
    void a_token_that_cannot_be_printed_is_revoked() throws Exception {
        String name = TestApp.newName();
        app.register(name);
        List<String> arguments = new ArrayList<>(List.of("user"));
        arguments.addAll(List.of(issueToken(name, "a", "60")));
        var process = ServiceProcess.builder(arguments, "REDIS_URL", redis.url())
                .redirectOutput(new File("/dev/full"))
                .start();
        String error = text(process.getErrorStream());
        assertTrue(error.endsWith("latchkey: cannot read or write: No space left on device\n"), error);
        assertEquals(1, process.waitFor());
        assertEquals(List.of(), app.liveKeys(name));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--name a | wrong arguments of user",
                "--name a --name b | wrong arguments of user",
                "--name a --expires 60 | wrong arguments of user",
                "--name a --expires-in 0 | --expires-in must be 1-999999999 seconds",
                "--name a --expires-in 1h | --expires-in must be 1-999999999 seconds",
                "--name a --expires-in 1000000000 | --expires-in must be 1-999999999 seconds",
                "--name \u0001 --expires-in 60 | --name must have 1-64 characters",
            })
    void issue_token_checks_its_arguments_before_it_connects(String options, String error) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("issue-token", "alice"));
        arguments.addAll(List.of(options.split(" ")));
        Output output = runOn("redis://localhost:1", "", arguments.toArray(String[]::new));
        assertEquals(2, output.code());
        assertTrue(output.err().startsWith("latchkey: " + error), output.err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"one", "cluster"})
    void list_prints_each_user_once_but_no_reservation(String topology) throws Exception {
        Topology storage = Topology.of(topology);
        try (var service = TestApp.startOn(storage)) {
            Set<String> expected = new HashSet<>();
            String prefix = TestApp.newName();
            String hash = "$pbkdf2-sha256$i=1$x";
            for (int i = 0; i < 1200; i++) {
                String name = prefix + i + (i == 0 ? "x".repeat(230) : "");
                service.redis().set(key(name), record(name, i == 1 ? "" : hash));
                expected.add(name + "\t2026-03-19T12:00:00.000Z\t" + (i == 1 ? "disabled" : "enabled"));
            }
            service.redis().set(key(prefix + "-damaged"), "no JSON");
            expected.add(prefix + "-damaged\t-\tunreadable");
            service.redis().set(key(prefix + "-reserved"), record(prefix + "-reserved", ""), SetArgs.Builder.ex(60));
            service.redis().hset(key(prefix + "-hash"), "no", "string");
            Output listed = runOn(storage.url(), "", "list");
            assertEquals("", listed.err());
            List<String> lines =
                    listed.out().lines().filter(line -> line.startsWith(prefix)).toList();
            assertEquals(expected, Set.copyOf(lines));
            assertEquals(expected.size(), lines.size());
            service.redis().del(key(prefix + "-hash"), key(prefix + "-damaged"));
        }
    }

    private static String record(String name, String hash) {
        return "{\"username\":\"" + name + "\",\"passwordHash\":\"" + hash
                + "\",\"createdDate\":\"2026-03-19T12:00:00.000Z\"}";
    }

    @Test
    void list_ends_quietly_when_its_reader_has_enough() throws Exception {
        var script = "for i = 1, 5000 do redis.call('SET', 'users:many' .. i, ARGV[1]) end return 1";
        try (var many = EmbeddedRedis.start();
                var service = TestApp.startOn(many.url())) {
            service.redis().eval(script, ScriptOutputType.INTEGER, new String[] {"users:many"}, record("many", "x"));
            var process = ServiceProcess.builder(List.of("user", "list"), "REDIS_URL", many.url())
                    .start();
            assertTrue(process.inputReader().readLine().startsWith("many"));
            process.getInputStream().close();
            assertEquals("", text(process.getErrorStream()));
            assertEquals(0, process.waitFor());
        }
    }

    /** Writing to /dev/full fails as on a full disk. */
    @Test
    void a_command_whose_output_cannot_be_written_exits_with_1() throws Exception {
        app.register(TestApp.newName());
        var process = ServiceProcess.builder(List.of("user", "list"), "REDIS_URL", redis.url())
                .redirectOutput(new File("/dev/full"))
                .start();
        assertEquals("latchkey: cannot read or write: No space left on device\n", text(process.getErrorStream()));
        assertEquals(1, process.waitFor());
    }

    @Test
    void a_password_that_breaks_a_rule_is_refused_and_nothing_is_stored() throws Exception {
        String name = TestApp.newName();
        run("short\n", "set-password", name).assertFailed(1, "the password must have 8-128 characters");
        run("p\u00e4ssword not in UTF-8\n", "set-password", name).assertFailed(1, "the password must be valid UTF-8");
        run("x".repeat(100_000), "set-password", name).assertFailed(1, "the password must have at most 128 characters");
        assertEquals(0, app.redis().exists(key(name)));
    }

    @Test
    void while_a_request_registers_or_deletes_the_user_a_command_fails_and_names_the_time_to_wait() throws Exception {
        String name = TestApp.newName();
        app.redis().set(key(name), record(name, ""), SetArgs.Builder.ex(60));
        Output output = run(NEW_PASSWORD + "\n", "set-password", name);
        assertTrue(
                output.err().matches("latchkey: other requests are changing the same user: try again in \\d+ s\n"),
                output.err());
        assertEquals(1, output.code());
    }

    @Test
    void wrong_arguments_and_an_invalid_configuration_exit_with_2() throws Exception {
        List<List<String>> wrong = List.of(
                List.of("remove", "alice"),
                List.of("delete"),
                List.of("delete", ""),
                List.of("list", "alice"),
                List.of("delete", "--all"));
        for (List<String> arguments : wrong) {
            Output output = run("", arguments.toArray(String[]::new));
            assertEquals(2, output.code());
            assertTrue(
                    output.err().startsWith("latchkey: wrong arguments of user\nlatchkey: usage: latchkey user "),
                    output.err());
        }
        assertTrue(run("", "set-password", "a b").err().startsWith("latchkey: NAME must be 3-"));
        runWith(Stream.of("TOKEN_TTL", "x"), "", "list")
                .assertFailed(2, "TOKEN_TTL must be a whole number from 1 to 2147483647, not 'x'");
    }

    /** The command needs neither HOST nor PORT, and does not wait for a password that it could not store. */
    @Test
    void without_redis_a_command_exits_with_1_and_one_line_that_says_why() throws Exception {
        var settings = Stream.of("REDIS_URL", "redis://127.0.0.1:1", "HOST", "no host", "PORT", "no port");
        runWith(settings, "", "set-password", "alice")
                .assertFailed(
                        1,
                        "Redis is unavailable: Connection refused: /127.0.0.1:1: start Redis, or check REDIS_URL, and what a cluster or sentinel announces");
    }

    @Test
    void on_a_terminal_the_password_is_asked_for_twice_and_not_shown() throws Exception {
        String name = TestApp.newName();
        for (String second : List.of("a different password", NEW_PASSWORD)) {
            var builder = ServiceProcess.builder(List.of("user", "set-password", name), "REDIS_URL", redis.url());
            String command =
                    builder.command().stream().map(part -> "'" + part + "'").collect(Collectors.joining(" "));
            var process = builder.command(Shell.require("script"), "-qec", command, "/dev/null")
                    .redirectErrorStream(true)
                    .start();
            var screen = new StringBuilder();
            type(process, screen, "New password: ", NEW_PASSWORD);
            type(process, screen, "New password again: ", second);
            screen.append(text(process.getInputStream()));
            boolean same = second.equals(NEW_PASSWORD);
            assertEquals(same ? 0 : 1, process.waitFor(), screen::toString);
            assertFalse(screen.toString().contains(NEW_PASSWORD), screen::toString);
            assertTrue(
                    screen.toString().contains(same ? name + ": created" : "the password was not the same both times"));
        }
        assertEquals(200, app.login(name, NEW_PASSWORD).status());
    }

    private static void type(Process process, StringBuilder screen, String prompt, String text) throws IOException {
        while (!screen.toString().endsWith(prompt)) {
            int next = process.getInputStream().read();
            assertTrue(next >= 0, screen::toString);
            screen.append((char) next);
        }
        process.outputWriter().write(text + "\n");
        process.outputWriter().flush();
    }
}
