package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ServiceProcess;
import dev.latchkey.testing.TestClient;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two instances behind a reverse proxy, replaced one after the other under load. */
class RollingRestartTest {
    // so few that their passwords never wait for one another long enough to be refused, on whatever machine
    private static final int CLIENTS = 4;
    private static final int REQUESTS = 50; // of each client between two restarts
    private static final Map<String, String> DURABLE = Map.of("appendonly", "yes", "appendfsync", "always");

    @Test
    void no_request_fails_while_the_instances_are_restarted_in_turn(@TempDir Path folder) throws Exception {
        int[] ports = {EmbeddedRedis.freePort(), EmbeddedRedis.freePort(), EmbeddedRedis.freePort()};
        Process proxy = caddy(folder, ports);
        Runtime.getRuntime().addShutdownHook(new Thread(proxy::destroy));
        try (var redis = EmbeddedRedis.start(DURABLE);
                var client = new TestClient(ports[0])) {
            ServiceProcess[] instances = {launch(ports[1], redis), launch(ports[2], redis)};
            for (ServiceProcess instance : instances) {
                instance.awaitReady(200);
            }
            Load.await(() -> up(client));
            var load = new Load(client, CLIENTS, false);
            load.start();
            load.await(REQUESTS);
            for (int i = 0; i < instances.length; i++) {
                instances[i].stop();
                instances[i].close();
                load.await(REQUESTS);
                ServiceProcess started = launch(ports[i + 1], redis);
                instances[i] = started;
                Load.await(() -> !started.printed("latchkey.access").isEmpty()); // the proxy sends it requests again
                load.await(REQUESTS);
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
                            // a machine that is busy with other work is not the restart's fault
                            .filter(request -> !request.what().contains("The service is overloaded."))
                            .toList());
        } finally {
            proxy.destroy();
            proxy.waitFor(30, TimeUnit.SECONDS);
        }
    }

    private static Process caddy(Path folder, int[] ports) throws IOException {
        boolean installed = Stream.of(System.getenv("PATH").split(File.pathSeparator, -1))
                .anyMatch(part -> Files.isExecutable(Path.of(part, "caddy")));
        assumeTrue(installed, "caddy is not installed");
        // as in the README; the global options keep Caddy to itself
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
        Path file = Files.writeString(folder.resolve("Caddyfile"), configuration);
        var builder = new ProcessBuilder("caddy", "run", "--adapter", "caddyfile", "--config", file.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("caddy.log").toFile());
        builder.environment().put("HOME", folder.toString());
        return builder.start();
    }

    private static boolean up(TestClient client) {
        try {
            return client.send("GET", "/health/ready", "").status() == 200;
        } catch (IllegalStateException _) {
            return false; // the proxy does not listen yet
        }
    }

    private static ServiceProcess launch(int port, EmbeddedRedis redis) throws IOException {
        return ServiceProcess.launchOn(port, redis.url(), "LOGIN_THROTTLE", "false", "SHUTDOWN_LAME_DUCK_SECONDS", "1");
    }
}
