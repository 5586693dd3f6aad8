package dev.latchkey.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;

/**
 * Sends bytes to a server exactly as given, and returns the bytes of the response. Tests use it for requests that no
 * HTTP client would send.
 */
public record RawClient(int port) {
    private static final int DEADLINE_MILLIS = 15_000;

    /**
     * Sends the request, closes the sending side of the connection, and returns everything that the server sends until
     * it closes its side. Returns an empty text if the server resets the connection. Each character stands for one
     * byte (ISO-8859-1).
     */
    public String exchange(String request) throws IOException {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(DEADLINE_MILLIS);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        } catch (SocketException _) {
            return ""; // the server has reset the connection
        }
    }

    /** Does the same as {@link #exchange}, but first replaces each line feed of a text block by CR LF. */
    public String exchangeLines(String request) throws IOException {
        return exchange(request.replace("\n", "\r\n"));
    }

    /** Returns the number of HTTP responses in the text. */
    public static int answers(String text) {
        return text.split("HTTP/1\\.1 ", -1).length - 1;
    }

    /** Returns the status code of the first response, or 0 if the text does not start with a response. */
    public static int status(String text) {
        return text.startsWith("HTTP/1.1 ") ? Integer.parseInt(text.substring(9, 12)) : 0;
    }
}
