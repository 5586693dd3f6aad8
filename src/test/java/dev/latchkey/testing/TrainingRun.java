package dev.latchkey.testing;

import dev.latchkey.testing.TestClient.Answer;
import java.io.IOException;
import java.util.Map;

/**
 * Leads a service through all that it does, and stops it. The build of the image learns from it which classes to archive; one
 * that is missing only makes the start slower.
 */
public final class TrainingRun {
    private static final String NEW_PASSWORD = "staple battery correct";

    private TrainingRun() {}

    /** @param command starts the service, on the port that {@code PORT} says */
    public static void main(String[] command) throws IOException, InterruptedException {
        int port = EmbeddedRedis.freePort();
        try (var redis = EmbeddedRedis.start();
                var client = new TestClient(port)) {
            var builder = new ProcessBuilder(command).inheritIO();
            builder.environment().putAll(Map.of("PORT", Integer.toString(port), "REDIS_URL", redis.url()));
            Process service = builder.start();
            while (!isReady(client)) {
                if (!service.isAlive()) {
                    throw new IllegalStateException("the service does not start");
                }
                Thread.sleep(20);
            }
            account(client);
            service.destroy();
            if (service.waitFor() != 0) {
                throw new IllegalStateException("the service ended with " + service.exitValue());
            }
        }
    }

    private static boolean isReady(TestClient client) {
        try {
            return client.send("GET", "/health/ready", "").status() == 200;
        } catch (IllegalStateException _) {
            return false; // it does not listen yet
        }
    }

    /** From its registration to its end, with every route, and with faults of each kind. */
    public static void account(TestClient client) {
        expect(200, client.send("GET", "/health/live", ""));
        expect(200, client.send("GET", "/health/ready", ""));
        expect(404, client.send("GET", "/", ""));
        expect(405, client.send("GET", "/api/auth/login", ""));
        expect(401, client.send("GET", "/api/auth/me", ""));
        String name = "training";
        String credentials = TestClient.credentials(name, TestClient.PASSWORD);
        expect(201, client.register(name));
        expect(409, client.register(name));
        expect(400, client.send("POST", "/api/auth/register", "{\"username\":\"a\",\"more\":1}"));
        expect(400, client.send("POST", "/api/auth/login", "{"));
        expect(413, client.send("POST", "/api/auth/login", " ".repeat(20_000) + credentials));
        expect(415, client.send("POST", "/api/auth/login", credentials, "Content-Type", "text/plain"));
        expect(401, client.login(name, "wrong password"));

        String old = login(client, name, TestClient.PASSWORD);
        String token =
                expect(200, client.send("POST", "/api/auth/refresh", old, "")).field("token");
        expect(401, client.get("/api/auth/verify", old));
        expect(204, client.get("/api/auth/verify", token));
        expect(200, client.get("/api/auth/me", token));
        todos(client, token);
        String session = expect(200, client.get("/api/auth/sessions", token))
                .json()
                .at("/sessions/0/id")
                .asString();
        expect(204, client.send("DELETE", "/api/auth/sessions/" + session, token, ""));

        token = login(client, name, TestClient.PASSWORD);
        String change =
                "{\"currentPassword\":\"" + TestClient.PASSWORD + "\",\"newPassword\":\"" + NEW_PASSWORD + "\"}";
        token = expect(200, client.send("PUT", "/api/auth/password", token, change))
                .field("token");
        expect(204, client.send("POST", "/api/auth/logout", token, ""));
        token = login(client, name, NEW_PASSWORD);
        expect(204, client.send("DELETE", "/api/auth/sessions", token, ""));
        token = login(client, name, NEW_PASSWORD);
        expect(204, client.send("DELETE", "/api/auth/account", token, "{\"password\":\"" + NEW_PASSWORD + "\"}"));
    }

    private static String login(TestClient client, String name, String password) {
        return expect(200, client.login(name, password)).field("token");
    }

    private static void todos(TestClient client, String token) {
        String bearer = "Bearer " + token;
        Answer todo = expect(201, client.send("POST", "/api/todos", token, "{\"name\":\"milk\"}"));
        expect(201, client.send("POST", "/api/todos", token, "{\"name\":\"tea\",\"status\":\"complete\"}"));
        String first = expect(200, client.get("/api/todos?limit=1", token)).field("next");
        expect(200, client.get("/api/todos?status=complete&after=" + first, token));
        String path = todo.header("Location");
        expect(200, client.get(path, token));
        expect(304, client.send("GET", path, "", "Authorization", bearer, "If-None-Match", todo.header("ETag")));
        expect(200, client.send("PATCH", path, token, "{\"status\":\"complete\"}"));
        expect(412, client.send("DELETE", path, "", "Authorization", bearer, "If-Match", todo.header("ETag")));
        expect(204, client.send("DELETE", path, token, ""));
    }

    private static Answer expect(int status, Answer answer) {
        if (answer.status() != status) {
            throw new IllegalStateException(status + " was expected: " + answer);
        }
        return answer;
    }
}
