package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.latchkey.testing.Documents;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.Load;
import dev.latchkey.testing.ProxyProcess;
import dev.latchkey.testing.Shell;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real Prometheus, with the configuration and the alerts of the documents. */
class PrometheusTest {
    private static final Path ALERTS = Path.of("scripts/examples/alerts.yaml").toAbsolutePath();

    @TempDir
    private Path folder;

    /** Prints nothing about the metrics if there are no errors and no warnings. */
    private static void assertPromtoolAccepts(Path input, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(Shell.require("promtool")));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(input.toFile())
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        assertEquals(
                "",
                output.lines()
                        .filter(line -> !line.matches(" *|Checking .*|Unit .*|.*SUCCESS.*"))
                        .reduce("", String::concat));
    }

    @Test
    void each_alert_fires_when_it_should_and_only_then() throws Exception {
        String tests = Files.readString(Path.of("src/test/resources/alerts-test.yaml"));
        Path file = Files.writeString(folder.resolve("test.yaml"), tests.replace("RULES", ALERTS.toString()));
        assertPromtoolAccepts(file, "check", "rules", ALERTS.toString());
        assertPromtoolAccepts(file, "test", "rules", file.toString());
    }

    @Test
    void prometheus_scrapes_the_service_and_answers_queries() throws Exception {
        int port = EmbeddedRedis.freePort();
        int metricsPort = EmbeddedRedis.freePort();
        String documented = Documents.blocks("operations.md", "Metrics", 1).getFirst();
        Files.writeString(
                folder.resolve("prometheus.yml"),
                documented
                        .replace("15s", "1s")
                        .replaceFirst("targets: .*", "targets: ['127.0.0.1:" + metricsPort + "']")
                        .replace("alerts.yaml", ALERTS.toString()));
        String command = "prometheus --config.file=prometheus.yml --storage.tsdb.path=data"
                + " --web.listen-address=127.0.0.1:" + port;
        // Prometheus starts first, because it only begins to scrape after 5 s.
        try (var prometheus = ProxyProcess.launch(command, folder);
                var app = TestApp.start("METRICS_PORT", Integer.toString(metricsPort));
                var metrics = app.metricsClient();
                var client = TestClient.ofOtherServer(port)) {
            String token = app.newToken();
            String text = metrics.send("GET", "/metrics", "").text();
            assertPromtoolAccepts(Files.writeString(folder.resolve("metrics"), text), "check", "metrics");
            prometheus.awaitReady(() -> answers(client, "up{job='latchkey'} == 1"));
            String rate = "rate(http_server_request_duration_seconds_count[10s])";
            Load.await(() -> {
                app.get("/api/auth/verify", token);
                return answers(client, "sum by (http_route) (" + rate + ") > 0");
            });
            String buckets = "rate(http_server_request_duration_seconds_bucket{http_route='/api/auth/verify'}[10s])";
            Load.await(() -> answers(client, "histogram_quantile(0.99, sum by (le) (" + buckets + ")) > 0"));
            Load.await(() -> answers(client, "latchkey_redis_connected == 1"));
        }
    }

    /** Reports whether the result of a query has a series. */
    private static boolean answers(TestClient prometheus, String query) {
        try {
            String path = "/api/v1/query?query=" + URLEncoder.encode(query, StandardCharsets.UTF_8);
            var answer = prometheus.send("GET", path, ""); // 503 while Prometheus starts
            return answer.status() == 200 && !answer.json().at("/data/result").isEmpty();
        } catch (IllegalStateException _) {
            return false; // Prometheus does not listen yet.
        }
    }
}
