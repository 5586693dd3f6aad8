package dev.latchkey.testing;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

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
        for (int missing = 1; missing > 0; missing--) { // values
            String line = copyLine(in, bytes);
            switch (line.charAt(0)) {
                case '$', '=', '!' -> {
                    if (length(line) >= 0) { // -1 is null
                        bytes.write(in.readNBytes(length(line) + 2));
                    }
                }
                case '*', '~', '>' -> missing += Math.max(0, length(line));
                case '%' -> missing += 2 * length(line);
                default -> {} // the line is the whole value
            }
        }
        return bytes.toByteArray();
    }

    private static int length(String line) {
        return Integer.parseInt(line.substring(1));
    }

    private static String copyLine(InputStream in, ByteArrayOutputStream bytes) throws IOException {
        var line = new StringBuilder();
        while (line.isEmpty() || line.charAt(line.length() - 1) != '\n') {
            int c = in.read();
            if (c < 0) {
                throw new EOFException();
            }
            bytes.write(c);
            line.append((char) c);
        }
        return line.toString().strip();
    }
}
