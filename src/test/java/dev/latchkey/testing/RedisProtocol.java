package dev.latchkey.testing;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** Reads whole commands and replies of the Redis protocol (RESP3), for proxies that treat them one by one. */
final class RedisProtocol {
    private RedisProtocol() {}

    /**
     * Returns the bytes of one command or reply.
     *
     * @throws EOFException if the stream ends before
     */
    static byte[] read(InputStream in) throws IOException {
        var bytes = new ByteArrayOutputStream();
        copy(in, bytes);
        return bytes.toByteArray();
    }

    private static void copy(InputStream in, ByteArrayOutputStream bytes) throws IOException {
        String line = readLine(in, bytes);
        switch (line.charAt(0)) {
            case '$', '=', '!' -> {
                int length = Integer.parseInt(line.substring(1));
                if (length >= 0) {
                    bytes.write(in.readNBytes(length + 2));
                }
            }
            case '*', '~', '>' -> copy(in, bytes, Integer.parseInt(line.substring(1)));
            case '%' -> copy(in, bytes, 2 * Integer.parseInt(line.substring(1)));
            default -> {} // the line is the whole value
        }
    }

    private static void copy(InputStream in, ByteArrayOutputStream bytes, int values) throws IOException {
        for (int i = 0; i < values; i++) {
            copy(in, bytes);
        }
    }

    private static String readLine(InputStream in, ByteArrayOutputStream bytes) throws IOException {
        var line = new ByteArrayOutputStream();
        int c;
        do {
            c = in.read();
            if (c < 0) {
                throw new EOFException();
            }
            line.write(c);
        } while (c != '\n');
        line.writeTo(bytes);
        return line.toString(StandardCharsets.US_ASCII).strip();
    }
}
