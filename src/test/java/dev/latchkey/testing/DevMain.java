package dev.latchkey.testing;

import dev.latchkey.App;
import dev.latchkey.Main;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** {@link Main} for a machine without Redis: brings an embedded one where none answers. Used by {@code scripts/run}. */
public final class DevMain {
    private static final int PORT = 6379;
    private static final String LOCAL = "redis://localhost:" + PORT;

    private DevMain() {}

    public static void main(String[] args) throws IOException {
        Map<String, String> environment = new HashMap<>(System.getenv());
        String source = "as REDIS_URL says";
        if (environment.getOrDefault("REDIS_URL", "").isBlank()) {
            boolean local = answers(PORT);
            environment.put("REDIS_URL", local ? LOCAL : EmbeddedRedis.start().url());
            source = local ? LOCAL : environment.get("REDIS_URL") + ", embedded: ITS DATA IS GONE WHEN IT STOPS";
        }
        App app = Main.start(environment);
        System.out.printf("""

                Latchkey is at http://localhost:%d (Ctrl-C stops it). Redis: %s. Try:

                curl -i -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct horse battery"}' http://localhost:%d/api/auth/register

                """, app.port(), source, app.port());
    }

    // by hand: what Lettuce logs would come before the log is set up
    private static boolean answers(int port) {
        try (var socket = new Socket("localhost", port)) {
            socket.setSoTimeout(1000);
            socket.getOutputStream().write("PING\r\n".getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readNBytes(5), StandardCharsets.US_ASCII).equals("+PONG");
        } catch (IOException _) {
            return false;
        }
    }
}
