import java.io.IOException;
import java.net.URI;
import java.net.http.*;
import java.time.*;
import java.time.format.DateTimeFormatter;

/** A client for many threads. Use your JSON library instead of field(). */
class Client {
    private final HttpClient http = HttpClient.newHttpClient();
    private final String url;
    private String token = "";
    private long refreshAtNanos;

    Client(String url, String username, String password) throws IOException, InterruptedException {
        this.url = url;
        password = password.replace("\\", "\\\\").replace("\"", "\\\"");
        begin(send("POST", "/api/auth/login", "{\"username\":\"" + username + "\",\"password\":\"" + password + "\"}", ""));
    }

    /** Sends a request with the token. A 401 with the code invalid_token means that the session has ended. */
    HttpResponse<String> request(String method, String path, String json) throws IOException, InterruptedException {
        String used = freshToken();
        HttpResponse<String> response = send(method, path, json, used);
        boolean isOld = response.statusCode() == 401 && !freshToken().equals(used); // refreshed while the request was on its way
        return isOld ? send(method, path, json, freshToken()) : response;
    }

    // Only one thread refreshes, and the others wait for it.
    private synchronized String freshToken() throws IOException, InterruptedException {
        if (System.nanoTime() - refreshAtNanos > 0) {
            HttpResponse<String> response = send("POST", "/api/auth/refresh", "", token);
            if (response.statusCode() == 200) { // after a 503, the old token is good
                begin(response);
            }
        }
        return token;
    }

    private synchronized void begin(HttpResponse<String> issued) throws IOException {
        if (issued.statusCode() != 200) {
            throw new IOException(issued.statusCode() + " " + field(issued, "code"));
        }
        var now = ZonedDateTime.parse(issued.headers().firstValue("Date").orElseThrow(), DateTimeFormatter.RFC_1123_DATE_TIME);
        Duration lifetime = Duration.between(now, ZonedDateTime.parse(field(issued, "expiresDate"))); // by the clock of the service
        token = field(issued, "token");
        refreshAtNanos = System.nanoTime() + lifetime.toNanos() / 2;
    }

    private HttpResponse<String> send(String method, String path, String json, String token) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(30))
                .headers("Content-Type", "application/json", "Authorization", "Bearer " + token)
                .method(method, HttpRequest.BodyPublishers.ofString(json));
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static String field(HttpResponse<String> response, String name) {
        return response.body().replaceFirst("(?s).*\"" + name + "\":\"([^\"]*)\".*", "$1");
    }
}
