package dev.latchkey.testing;

import dev.latchkey.App;
import dev.latchkey.Main;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Starts Latchkey on a developer's machine. If {@code REDIS_URL} is not set and no Redis replies on localhost, it also
 * starts an embedded Redis. Run by {@code scripts/run}. With {@code --own-redis}, it always starts an embedded Redis. Run
 * so by {@code scripts/browser} and {@code scripts/openapi}.
 */
public final class DevMain {
    private static final int PORT = 6379;
    private static final String LOCAL_URL = "redis://localhost:" + PORT;

    private DevMain() {}

    public static void main(String[] args) throws IOException {
        Map<String, String> environment = new HashMap<>(System.getenv());
        String redis = "as set in REDIS_URL";
        if (List.of(args).contains("--own-redis")) {
            redis = EmbeddedRedis.start().url();
            environment.put("REDIS_URL", redis);
        } else if (environment.getOrDefault("REDIS_URL", "").isBlank()) {
            boolean hasLocalRedis = replies(PORT);
            environment.put(
                    "REDIS_URL",
                    hasLocalRedis ? LOCAL_URL : EmbeddedRedis.start().url());
            publish(environment.get("REDIS_URL"));
            redis = environment.get("REDIS_URL") + (hasLocalRedis ? "" : " (embedded: ALL DATA IS LOST ON EXIT)");
        }
        App app = Main.start(environment);
        System.out.printf(
                """

                Latchkey is listening on http://localhost:%d. Press Ctrl-C to stop it.
                Redis: %s
                %s

                curl -i -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct horse battery"}' http://localhost:%d/api/auth/register

                """, app.port(), redis, app.config().demoPage() ? "Open it in a browser, or try:" : "Try:", app.port());
    }

    // Lets scripts/demo find the Redis. Not called if REDIS_URL is set, because that may contain a password.
    private static void publish(String redisUrl) throws IOException {
        Path file = Path.of("target", "redis-url");
        Files.writeString(file, redisUrl);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> file.toFile().delete()));
    }

    // Does not use Lettuce, because Lettuce would log before Main has configured logging.
    private static boolean replies(int port) {
        try (var socket = new Socket("localhost", port)) {
            socket.setSoTimeout(1000);
            socket.getOutputStream().write("PING\r\n".getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readNBytes(5), StandardCharsets.US_ASCII).equals("+PONG");
        } catch (IOException _) {
            return false;
        }
    }
}
