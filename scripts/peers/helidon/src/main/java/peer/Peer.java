package peer;

import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import io.helidon.webserver.WebServer;
import io.lettuce.core.RedisClient;

public class Peer {
    public static void main(String[] args) {
        var redis = RedisClient.create(System.getenv("REDIS_URL")).connect().sync();
        WebServer.builder()
                .host(System.getenv("HOST"))
                .port(Integer.parseInt(System.getenv("PORT")))
                .routing(routing -> routing.get("/api/auth/me", (request, response) -> {
                    String header = request.headers().first(HeaderNames.AUTHORIZATION).orElse("");
                    String username = header.startsWith("Bearer ")
                            ? redis.get("tokens:" + header.substring("Bearer ".length()))
                            : null;
                    if (username == null) {
                        response.status(Status.UNAUTHORIZED_401).send();
                    } else {
                        response.header(HeaderNames.CONTENT_TYPE, "application/json")
                                .send("{\"username\":\"" + username + "\"}");
                    }
                }))
                .build()
                .start();
    }
}
