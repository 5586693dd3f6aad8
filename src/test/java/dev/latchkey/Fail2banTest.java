package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.Shell;
import dev.latchkey.testing.TestClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The filter {@code scripts/examples/fail2ban.conf}, with fail2ban's own program. */
class Fail2banTest {
    @TempDir
    private Path folder;

    @Test
    void the_filter_finds_each_guess_and_its_address_and_nothing_else() throws Exception {
        String program = Shell.require("fail2ban-regex");
        try (var redis = EmbeddedRedis.start();
                var service = ServiceProcess.start(redis.url(), "TRUSTED_PROXY_HOPS", "1")) {
            var client = service.from("2001:db8::7");
            client.register("alice");
            String token = client.login("alice", TestClient.PASSWORD).field("token");
            client.with("X-Request-Id", "address-192.0.2.1").login("alice", "wrong"); // 1
            client.login("no such user", "wrong"); // 2
            client.changePassword(token, "wrong", "another passphrase"); // 3
            client.logout(token);
            client.verify(token);
            Path log = Files.write(folder.resolve("log"), service.stop());
            var process = new ProcessBuilder(
                            List.of(program, "--print-all-matched", log.toString(), "scripts/examples/fail2ban.conf"))
                    .redirectErrorStream(true)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(output.contains(" 3 matched,"), output);
            assertTrue(output.contains("address=2001:db8::7"), output);
        }
    }
}
