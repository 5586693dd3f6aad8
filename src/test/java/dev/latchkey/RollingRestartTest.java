package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Two instances behind a reverse proxy, replaced one after the other under load. */
class RollingRestartTest {
    private static final int CLIENTS = 16;
    private static final int REQUESTS = 20; // of each client between two restarts
    private static final int ROUNDS = 2;
    private static final Map<String, String> DURABLE = Map.of("appendonly", "yes", "appendfsync", "always");

    /** As in the README; what is more here keeps it to its folder, in the foreground, and quiet. */
    enum ReverseProxy {
        CADDY("caddy run --adapter caddyfile --config", """
                {
                    admin off
                    auto_https off
                }
                http://127.0.0.1:%1$d {
                    bind 127.0.0.1
                    reverse_proxy 127.0.0.1:%2$d 127.0.0.1:%3$d {
                        health_uri /health/ready
                        health_interval 200ms
                        lb_try_duration 2s
                    }
                }
                """);

        private final String command;
        private final String configuration;

        ReverseProxy(String command, String configuration) {
            this.command = command;
            this.configuration = configuration;
        }

        Process start(Path folder, int port, List<Integer> instances) throws IOException {
            var arguments = new ArrayList<>(List.of(command.split(" ", -1)));
            String name = arguments.removeFirst();
            // Debian has nginx where only root looks
            String path = System.getenv("PATH") + File.pathSeparator + "/usr/sbin";
            var program = Stream.of(path.split(File.pathSeparator, -1))
                    .map(part -> Path.of(part, name))
                    .filter(Files::isExecutable)
                    .findFirst();
            assumeTrue(program.isPresent(), name + " is not installed: not tested with it");
            Path file = Files.writeString(
                    folder.resolve("proxy.conf"), configuration.formatted(port, instances.get(0), instances.get(1)));
            arguments.addFirst(program.get().toString());
            arguments.add(file.toString());
            var builder = new ProcessBuilder(arguments)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("proxy.log").toFile());
            builder.environment().put("HOME", folder.toString());
            return builder.start();
        }
    }

    @ParameterizedTest
    @EnumSource
    void no_request_fails_while_the_instances_are_restarted_in_turn(ReverseProxy proxy, @TempDir Path folder)
            throws Exception {
        int port = EmbeddedRedis.freePort();
        List<Integer> ports = List.of(EmbeddedRedis.freePort(), EmbeddedRedis.freePort());
        Process running = proxy.start(folder, port, ports);
        Thread end = new Thread(running::destroy);
        Runtime.getRuntime().addShutdownHook(end);
        try (var redis = EmbeddedRedis.start(DURABLE);
                var client = new TestClient(port)) {
            Service[] instances = {launch(ports.get(0), redis), launch(ports.get(1), redis)};
            for (Service instance : instances) {
                instance.awaitReady(200);
            }
            Load.await(() -> up(client));
            var load = new Load(client, CLIENTS, false);
            load.start();
            load.await(REQUESTS);
            long begun = System.nanoTime(); // before, all log in at once, and passwords wait for each other
            for (int i = 0; i < 2 * ROUNDS; i++) {
                instances[i % 2].stop();
                instances[i % 2].close();
                load.await(REQUESTS);
                instances[i % 2] = launch(ports.get(i % 2), redis);
                awaitRequests(instances[i % 2]);
                load.await(REQUESTS);
            }
            load.stop();
            for (Service instance : instances) {
                instance.stop();
                instance.close();
            }
            System.out.println(
                    proxy + " " + load.requests().size() + " " + load.faults().size() + " "
                            + Files.readString(folder.resolve("proxy.log"))
                                    .lines()
                                    .filter(l -> !l.contains("refused"))
                                    .toList());
            assertEquals(List.of(), List.copyOf(load.faults()));
            assertEquals(
                    List.of(),
                    load.requests().stream()
                            .filter(request -> request.status() == 503 && request.start() > begun)
                            .toList());
        } finally {
            running.destroy();
            running.waitFor(30, TimeUnit.SECONDS);
        }
    }

    private static boolean up(TestClient client) {
        try {
            return client.send("GET", "/health/ready", "").status() == 200;
        } catch (IllegalStateException _) {
            return false; // the proxy does not listen yet
        }
    }

    private static Service launch(int port, EmbeddedRedis redis) throws IOException {
        return Service.launchOn(port, redis.url(), "LOGIN_THROTTLE", "false", "SHUTDOWN_LAME_DUCK_SECONDS", "1");
    }

    /** The proxy has seen that it is back. */
    private static void awaitRequests(Service instance) {
        Load.await(() -> !instance.printed("latchkey.access").isEmpty());
    }
}
