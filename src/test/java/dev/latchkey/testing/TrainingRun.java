package dev.latchkey.testing;

import dev.latchkey.testing.TestClient.Answer;
import java.io.IOException;
import java.util.Map;

/**
 * Starts a service and a Redis, exercises every route, and stops both. Run by {@code scripts/archive} when the image is
 * built: the classes that the service loads during this run are put into the JVM's class archive. A class that is
 * missing from the archive only makes the start slower. {@code TrainingRunTest} runs {@link #account} as a test.
 */
public final class TrainingRun {
    private static final String NEW_PASSWORD = "staple battery correct";

    private TrainingRun() {}

    /** @param command that starts the service on the port given by the environment variable {@code PORT} */
    public static void main(String[] command) throws IOException, InterruptedException {
        int port = EmbeddedRedis.freePort();
        try (var redis = EmbeddedRedis.start();
                var client = new TestClient(port)) {
            var builder = new ProcessBuilder(command).inheritIO();
            builder.environment()
                    .putAll(Map.of(
                            "PORT",
                            Integer.toString(port),
                            "REDIS_URL",
                            redis.url(),
                            "INTROSPECTION_CLIENT_ID",
                            TestClient.CLIENT_ID,
                            "INTROSPECTION_CLIENT_SECRET",
                            TestClient.CLIENT_SECRET));
            Process service = builder.start();
            while (!isReady(client)) {
                if (!service.isAlive()) {
                    throw new IllegalStateException("the service exited before it was ready");
                }
                Thread.sleep(20);
            }
            account(client);
            service.destroy();
            if (service.waitFor() != 0) {
                throw new IllegalStateException("the service exited with status " + service.exitValue());
            }
        }
    }

    private static boolean isReady(TestClient client) {
        try {
            return client.send("GET", "/health/ready", "").status() == 200;
        } catch (IllegalStateException _) {
            return false; // the service does not listen yet
        }
    }

    /** Registers an account, uses every route, provokes errors of each kind, and deletes the account. */
    public static void account(TestClient client) {
        expect(200, client.send("GET", "/health/live", ""));
        expect(200, client.send("GET", "/health/ready", ""));
        Answer description = expect(200, client.send("GET", "/openapi.json", ""));
        expect(304, client.send("GET", "/openapi.json", "", "If-None-Match", description.header("ETag")));
        expect(404, client.send("GET", "/", ""));
        expect(405, client.send("GET", "/api/auth/login", ""));
        expect(401, client.send("GET", "/api/auth/me", ""));
        String username = "training";
        String credentials = TestClient.credentials(username, TestClient.PASSWORD);
        expect(201, client.register(username));
        expect(409, client.register(username));
        expect(400, client.send("POST", "/api/auth/register", "{\"username\":\"a\",\"more\":1}"));
        expect(400, client.send("POST", "/api/auth/login", "{"));
        expect(413, client.send("POST", "/api/auth/login", " ".repeat(20_000) + credentials));
        expect(415, client.send("POST", "/api/auth/login", credentials, "Content-Type", "text/plain"));
        expect(401, client.login(username, "wrong password"));

        String oldToken = login(client, username, TestClient.PASSWORD);
        String token = expect(200, client.send("POST", "/api/auth/refresh", oldToken, ""))
                .field("token");
        expect(401, client.get("/api/auth/verify", oldToken));
        expect(200, client.get("/api/auth/verify", token));
        expect(200, client.get("/api/auth/me", token));
        todos(client, token);
        String session = expect(200, client.get("/api/auth/sessions", token))
                .json()
                .at("/sessions/0/id")
                .asString();
        expect(204, client.send("DELETE", "/api/auth/sessions/" + session, token, ""));

        token = login(client, username, TestClient.PASSWORD);
        String change =
                "{\"currentPassword\":\"" + TestClient.PASSWORD + "\",\"newPassword\":\"" + NEW_PASSWORD + "\"}";
        token = expect(200, client.send("PUT", "/api/auth/password", token, change))
                .field("token");
        introspection(client, token);
        token = login(client, username, NEW_PASSWORD);
        expect(204, client.send("POST", "/api/auth/logout", token, ""));
        token = login(client, username, NEW_PASSWORD);
        expect(204, client.send("DELETE", "/api/auth/sessions", token, ""));
        token = login(client, username, NEW_PASSWORD);
        expect(204, client.send("DELETE", "/api/auth/account", token, "{\"password\":\"" + NEW_PASSWORD + "\"}"));
    }

    private static String login(TestClient client, String username, String password) {
        return expect(200, client.login(username, password)).field("token");
    }

    private static void introspection(TestClient client, String token) {
        expect(401, client.send("POST", "/api/auth/introspect", "", "Authorization", "Basic eDp5"));
        expect(400, client.sendForm("/api/auth/introspect", "a=b"));
        expect(200, client.sendForm("/api/auth/introspect", "token=" + token));
        expect(200, client.sendForm("/api/auth/revoke", "token=" + token + "&token_type_hint=access_token"));
        expect(200, client.sendForm("/api/auth/introspect", "token=" + token));
    }

    private static void todos(TestClient client, String token) {
        String bearer = "Bearer " + token;
        Answer todo = expect(201, client.send("POST", "/api/todos", token, "{\"name\":\"milk\"}"));
        expect(201, client.send("POST", "/api/todos", token, "{\"name\":\"tea\",\"status\":\"complete\"}"));
        String cursor = expect(200, client.get("/api/todos?limit=1", token)).field("next");
        expect(200, client.get("/api/todos?status=complete&after=" + cursor, token));
        String path = todo.todoPath();
        expect(200, client.get(path, token));
        expect(304, client.send("GET", path, "", "Authorization", bearer, "If-None-Match", todo.header("ETag")));
        expect(200, client.send("PATCH", path, token, "{\"status\":\"complete\"}"));
        expect(412, client.send("DELETE", path, "", "Authorization", bearer, "If-Match", todo.header("ETag")));
        expect(204, client.send("DELETE", path, token, ""));
    }

    private static Answer expect(int status, Answer answer) {
        if (answer.status() != status) {
            throw new IllegalStateException("expected status code " + status + ", but got " + answer);
        }
        return answer;
    }
}
