package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TestClient;
import dev.latchkey.testing.TrainingRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class TrainingRunTest {
    @Test
    void training_run_uses_every_route_in_the_readme() throws Exception {
        List<String> used = new ArrayList<>();
        try (var app = TestApp.start();
                var client = new TestClient(app.port()) {
                    @Override
                    public Answer send(String method, String path, String body, String... headers) {
                        used.add(method + " " + path);
                        return super.send(method, path, body, headers);
                    }
                }) {
            TrainingRun.account(client);
        }
        List<String> routes = Pattern.compile("(?:(?:GET|POST|PUT|PATCH|DELETE) |any method `)/[a-z/.{}]+")
                .matcher(String.join("\n", readmeTables()))
                .results()
                .map(match -> match.group().replace("any method `", "[A-Z]+ ").replace("{id}", "[^/]+"))
                .toList();
        assertFalse(routes.isEmpty());
        for (String route : routes) {
            assertTrue(
                    used.stream().anyMatch(request -> request.matches(route + "(\\?.*)?")), "Unused route: " + route);
        }
    }

    private static List<String> readmeTables() throws Exception {
        return Files.readAllLines(Path.of("README.md")).stream()
                .filter(line -> line.startsWith("| "))
                .toList();
    }
}
