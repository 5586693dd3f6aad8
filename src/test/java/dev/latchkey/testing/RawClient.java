package dev.latchkey.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;

/** Bytes to a server and back, exactly as written: for what no HTTP client would send. */
public record RawClient(int port) {
    private static final int DEADLINE_MILLIS = 15_000;

    /** Sends it, ends its side, and reads to the end of the other: nothing where that one resets. Characters are bytes (ISO-8859-1). */
    public String exchange(String request) throws IOException {
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(DEADLINE_MILLIS);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        } catch (SocketException _) {
            return ""; // reset: no answer either
        }
    }

    /** With the line ends of a text block made into HTTP's. */
    public String exchangeLines(String request) throws IOException {
        return exchange(request.replace("\n", "\r\n"));
    }

    /** How many answers there are in what was read. */
    public static int answers(String text) {
        return text.split("HTTP/1\\.1 ", -1).length - 1;
    }

    /** The status of the first answer; 0 where the connection was closed without one. */
    public static int status(String text) {
        return text.startsWith("HTTP/1.1 ") ? Integer.parseInt(text.substring(9, 12)) : 0;
    }
}
