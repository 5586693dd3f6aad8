package dev.latchkey.testing;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * An application behind a proxy. It remembers the requests exactly as they arrive, and responds to each of them with
 * 200 and the username that it received. After an upgrade to WebSocket, it returns every byte that it receives.
 */
public final class EchoServer implements AutoCloseable {
    /** The key of an upgrade to WebSocket, and the response to it, which some proxies check (RFC 6455 §1.3). */
    public static final String WEBSOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

    private static final String WEBSOCKET_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    private final ServerSocket server = new ServerSocket(0, 1024, InetAddress.getLoopbackAddress());
    private final List<Received> requests = new CopyOnWriteArrayList<>();

    /**
     * A request that has arrived.
     *
     * @param head the request line and the header lines
     * @param body the request body, with one character per byte
     */
    public record Received(String head, String body) {
        /** Returns the values of all header lines with this name. As for CGI, all punctuation in a name is the same. */
        public List<String> values(String name) {
            return head.lines()
                    .filter(line -> name(line).equals(name.toLowerCase(Locale.ROOT)))
                    .map(line -> line.substring(name.length() + 1).strip())
                    .toList();
        }

        private static String name(String line) {
            return line.replaceFirst(":.*", "").toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "-");
        }
    }

    private final AtomicInteger connections = new AtomicInteger();
    private final boolean remembers;

    public EchoServer() throws IOException {
        this(true);
    }

    /** @param remembers whether to keep the requests; a load would fill the memory with them */
    public EchoServer(boolean remembers) throws IOException {
        this.remembers = remembers;
        Thread.startVirtualThread(this::accept);
    }

    public int port() {
        return server.getLocalPort();
    }

    /** Returns all requests that have arrived, oldest first. */
    public List<Received> requests() {
        return requests;
    }

    /** Returns the number of connections that have been opened. */
    public int connections() {
        return connections.get();
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket socket = server.accept();
                connections.incrementAndGet();
                Thread.startVirtualThread(() -> serve(socket));
            } catch (IOException _) {
                // The server has been closed.
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            var in = new BufferedInputStream(socket.getInputStream());
            String head = RawClient.readHead(in);
            // A connection that the proxy has only opened, or closes, ends without a request.
            while (!head.isEmpty() && respond(head, in, socket.getOutputStream())) {
                head = RawClient.readHead(in);
            }
        } catch (IOException _) {
            // The proxy has closed the connection.
        }
    }

    /** Reports whether another request may follow on the connection. */
    private boolean respond(String head, InputStream in, OutputStream out) throws IOException {
        var headers = new Received(head, "");
        if (!headers.values("Expect").isEmpty()) {
            write(out, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        int length = headers.values("Content-Length").stream()
                .mapToInt(Integer::parseInt)
                .sum();
        byte[] body = in.readNBytes(length);
        if (remembers) {
            requests.add(new Received(head, new String(body, StandardCharsets.ISO_8859_1)));
        }
        boolean isUpgrade = headers.values("Connection").stream().anyMatch("upgrade"::equalsIgnoreCase);
        if (isUpgrade && headers.values("Upgrade").contains("websocket")) {
            String upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
            write(out, upgrade + "Sec-WebSocket-Accept: " + WEBSOCKET_ACCEPT + "\r\n\r\n");
            in.transferTo(out);
            return false;
        }
        boolean closes = headers.values("Connection").contains("close");
        var response = new StringBuilder("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
        for (String name : List.of("X-Auth-User", "Remote-User")) {
            headers.values(name).forEach(value -> response.append("Received-" + name + ": " + value + "\r\n"));
        }
        write(out, response + (closes ? "Connection: close\r\n\r\n" : "\r\n"));
        return !closes;
    }

    private static void write(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
