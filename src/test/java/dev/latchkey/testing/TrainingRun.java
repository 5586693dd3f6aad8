package dev.latchkey.testing;

import static dev.latchkey.testing.TestClient.expect;

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
            while (!client.responds("/health/ready", 200)) {
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

    /** Registers an account, uses every route, provokes errors of each kind, and deletes the account. */
    public static void account(TestClient client) {
        expect(200, client.send("GET", "/health/live", ""));
        expect(200, client.send("GET", "/health/ready", ""));
        expect(200, client.send("GET", "/openapi.json", ""));
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
        String token = expect(200, client.refresh(oldToken)).field("token");
        expect(401, client.verify(oldToken));
        expect(200, client.verify(token));
        expect(200, client.get("/api/auth/me", token));
        todos(client, token);
        Answer sessions = expect(200, client.get("/api/auth/sessions", token));
        String session = sessions.json().at("/sessions/0/id").asString();
        expect(204, client.send("DELETE", "/api/auth/sessions/" + session, token, ""));

        token = login(client, username, TestClient.PASSWORD);
        token = expect(200, client.changePassword(token, TestClient.PASSWORD, NEW_PASSWORD))
                .field("token");
        introspection(client, token);
        expect(204, client.logout(login(client, username, NEW_PASSWORD)));
        expect(204, client.send("DELETE", "/api/auth/sessions", login(client, username, NEW_PASSWORD), ""));
        expect(204, client.deleteAccount(login(client, username, NEW_PASSWORD), NEW_PASSWORD));
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
        Answer todo = expect(201, client.createTodo(token, "milk"));
        expect(201, client.send("POST", "/api/todos", token, "{\"name\":\"tea\",\"status\":\"complete\"}"));
        String cursor = expect(200, client.get("/api/todos?limit=1", token)).field("next");
        expect(200, client.get("/api/todos?status=complete&after=" + cursor, token));
        String path = todo.todoPath();
        String etag = todo.header("ETag");
        expect(200, client.get(path, token));
        expect(304, client.send("GET", path, "", "Authorization", bearer, "If-None-Match", etag));
        expect(200, client.send("PATCH", path, token, "{\"status\":\"complete\"}"));
        expect(412, client.send("DELETE", path, "", "Authorization", bearer, "If-Match", etag));
        expect(204, client.send("DELETE", path, token, ""));
    }
}
