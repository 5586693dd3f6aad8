package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ProxyProcess;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two instances behind a reverse proxy are replaced one after the other under load. */
class RollingRestartTest {
    // There are so few clients that no login is refused for waiting too long for other password hashes, on any machine.
    private static final int CLIENTS = 4;
    private static final int MIN_REQUESTS = 50; // per client, between two restarts
    private static final Map<String, String> DURABLE = Map.of("appendonly", "yes", "appendfsync", "always");

    @Test
    void no_request_fails_while_the_instances_are_restarted_in_turn(@TempDir Path folder) throws Exception {
        int[] ports = {EmbeddedRedis.freePort(), EmbeddedRedis.freePort(), EmbeddedRedis.freePort()};
        try (var proxy = caddy(folder, ports);
                var redis = EmbeddedRedis.start(DURABLE);
                var client = TestClient.ofOtherServer(ports[0])) {
            ServiceProcess[] instances = {launch(ports[1], redis), launch(ports[2], redis)};
            for (ServiceProcess instance : instances) {
                instance.awaitReady(200);
            }
            proxy.awaitReady(() -> client.responds("/health/ready", 200));
            var load = new Load(client, CLIENTS, false);
            load.start();
            load.await(MIN_REQUESTS);
            for (int i = 0; i < instances.length; i++) {
                instances[i].stop();
                instances[i].close();
                load.await(MIN_REQUESTS);
                ServiceProcess started = launch(ports[i + 1], redis);
                instances[i] = started;
                // Wait until the proxy sends requests to the new instance.
                Load.await(() -> !started.printed("latchkey.access").isEmpty());
                load.await(MIN_REQUESTS);
            }
            load.stop();
            for (ServiceProcess instance : instances) {
                instance.stop();
                instance.close();
            }
            assertEquals(List.of(), List.copyOf(load.faults()));
            assertEquals(
                    List.of(),
                    load.requests().stream()
                            .filter(request -> request.status() == 503)
                            // An overload is caused by other work on the machine, not by the restart.
                            .filter(request -> !request.what().contains("The service is overloaded."))
                            .toList());
        }
    }

    private static ProxyProcess caddy(Path folder, int[] ports) throws IOException {
        // The global options turn off features that need other ports.
        String configuration = """
                {
                    admin off
                    auto_https off
                }
                http://127.0.0.1:%d {
                    bind 127.0.0.1
                    reverse_proxy 127.0.0.1:%d 127.0.0.1:%d {
                        health_uri /health/ready
                        health_interval 200ms
                        lb_try_duration 2s
                    }
                }
                """.formatted(ports[0], ports[1], ports[2]);
        Files.writeString(folder.resolve("proxy.conf"), configuration);
        return ProxyProcess.launch("caddy run --adapter caddyfile --config proxy.conf", folder);
    }

    private static ServiceProcess launch(int port, EmbeddedRedis redis) throws IOException {
        return ServiceProcess.launchOn(port, redis.url(), "LOGIN_THROTTLE", "false", "SHUTDOWN_LAME_DUCK_SECONDS", "1");
    }
}
