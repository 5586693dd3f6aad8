package dev.latchkey.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.FutureTask;

/**
 * Sends bytes to a server exactly as given, and returns the bytes of the response. Tests use it for requests that no
 * HTTP client would send.
 */
public record RawClient(int port) {
    private static final int DEADLINE_MILLIS = 20_000;
    private static final int SMALL_SEGMENT = 536; // bytes
    private static final int IPPROTO_TCP = 6; // of Linux
    private static final int TCP_MAXSEG = 2;

    /**
     * Sends the request, closes the sending side of the connection, and returns everything that the server sends until
     * it closes its side. Returns an empty text if the server resets the connection. Each character stands for one
     * byte (ISO-8859-1).
     */
    public String exchange(String request) throws IOException {
        try (var socket = open()) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        } catch (SocketException _) {
            return ""; // the server has reset the connection
        }
    }

    /**
     * Sends the header of a request and then its body, and returns everything that the server sends until it closes the
     * connection. The sending side stays open, because a proxy may take its end for an abort.
     *
     * @param head the header, which must contain {@code Connection: close}; if it contains {@code Expect}, the body is
     *     sent after the first interim response (100); interim responses are not returned
     */
    public String request(String head, byte[] body) throws IOException {
        try (var socket = open()) {
            var out = socket.getOutputStream();
            out.write(head.getBytes(StandardCharsets.ISO_8859_1));
            if (head.contains("Expect:")) {
                String interim = readHead(socket.getInputStream());
                if (status(interim) != 100) {
                    return interim;
                }
            }
            // The response may arrive before the server has received the whole body.
            Thread.startVirtualThread(new FutureTask<>(() -> {
                out.write(body);
                return null;
            }));
            String response = new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
            while (status(response) == 100) { // Caddy sends one itself, and also passes on the application's.
                response = response.substring(response.indexOf("\r\n\r\n") + 4);
            }
            return response;
        }
    }

    /** Returns a request without a body: its line without the version, a host, and the header lines. */
    public static String head(String line, String... headers) {
        return line + " HTTP/1.1\r\nHost: x\r\n" + String.join("\r\n", headers)
                + (headers.length > 0 ? "\r\n\r\n" : "\r\n");
    }

    /** Opens a connection. Reading from it fails if the server sends nothing for 20 s. */
    public Socket open() throws IOException {
        return open(0);
    }

    /**
     * Opens a connection. A client that does not read has a small receive buffer, and receives segments as small as on a
     * network. With loopback's segments of 64 KB, the kernel would take megabytes per connection from the service.
     *
     * @param receiveBuffer in bytes, or 0 for the system's default and large segments
     */
    public Socket open(int receiveBuffer) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.INET);
        Socket socket = channel.socket();
        if (receiveBuffer > 0) {
            socket.setReceiveBufferSize(receiveBuffer);
            limitSegments(channel);
        }
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        socket.setSoTimeout(DEADLINE_MILLIS);
        return socket;
    }

    @SuppressWarnings("restricted") // setsockopt
    private static void limitSegments(SocketChannel channel) {
        try (var arena = Arena.ofConfined()) {
            Method descriptor = channel.getClass().getMethod("getFDVal");
            descriptor.setAccessible(true);
            Linker linker = Linker.nativeLinker();
            var function = FunctionDescriptor.of(
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.ADDRESS,
                    ValueLayout.JAVA_INT);
            var setsockopt = linker.downcallHandle(linker.defaultLookup().findOrThrow("setsockopt"), function);
            var size = arena.allocateFrom(ValueLayout.JAVA_INT, SMALL_SEGMENT);
            int error = (int) setsockopt.invokeExact(
                    (int) descriptor.invoke(channel), IPPROTO_TCP, TCP_MAXSEG, size, Integer.BYTES);
            assertEquals(0, error);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Reads the first line and the headers, up to and including the blank line, or up to the end of the stream. */
    public static String readHead(InputStream in) throws IOException {
        var head = new StringBuilder();
        for (int b = in.read(); b >= 0; b = in.read()) {
            head.append((char) b);
            if (b == '\n' && head.length() > 3 && head.charAt(head.length() - 3) == '\n') {
                break;
            }
        }
        return head.toString();
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
