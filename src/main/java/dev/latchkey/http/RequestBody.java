package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.InputStream;

/**
 * The body of a request, which knows whether it has been read completely. A response that is sent earlier must close
 * the connection. Otherwise the JDK's server waits for the rest, and would read the start of the next request as part
 * of it.
 *
 * <p>This object replaces the stream that {@link HttpExchange#getRequestBody} returns. It cannot be an attribute of
 * the exchange, because attributes are shared by all requests.
 */
final class RequestBody extends InputStream {
    private final InputStream in;
    private final boolean chunked;
    private long unread; // not zero until the end, if chunked
    private int limit = Integer.MAX_VALUE;
    private long count;

    /** @param length in bytes; not known if {@code chunked} */
    RequestBody(InputStream in, boolean chunked, long length) {
        this.in = in;
        this.chunked = chunked;
        this.unread = length;
    }

    /**
     * Returns the request body of the exchange. Reading more than {@code max} bytes of it throws a 413 {@link Problem}.
     *
     * @throws Problem 413 if the request declares more bytes
     */
    static InputStream limited(HttpExchange exchange, int max) {
        if (!(exchange.getRequestBody() instanceof RequestBody body)) {
            return InputStream.nullInputStream();
        }
        body.limit = max;
        if (!body.chunked && body.unread > max) {
            throw body.tooLarge();
        }
        return body;
    }

    /** Discards the bytes that have already arrived, and reports whether the request body is now read completely. */
    static boolean isRead(HttpExchange exchange) throws IOException {
        if (exchange.getRequestBody() instanceof RequestBody body) {
            if (!body.chunked && body.unread > 0) {
                body.unread -= body.in.skip(Math.min(body.unread, body.in.available()));
            }
            return body.unread == 0;
        }
        // The JDK takes a buffer of 2 KiB to drain a body whose end it has not read, even if the body is empty.
        return exchange.getRequestBody().read() < 0;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int read;
        try {
            read = in.read(buffer, offset, length);
        } catch (IOException | IndexOutOfBoundsException e) {
            if (!chunked) {
                throw e;
            }
            // The JDK's parser throws the latter for a chunk size near 2^31, and the former for trailer fields.
            throw new Problem(
                            ErrorCode.MALFORMED_REQUEST,
                            "The chunked encoding is malformed, or has trailer fields, which are not supported.")
                    .withHeader("Connection", "close");
        }
        if (read < 0) {
            unread = 0;
            return read;
        }
        unread -= read;
        count += read;
        if (count > limit) {
            throw tooLarge();
        }
        return read;
    }

    private Problem tooLarge() {
        return new Problem(ErrorCode.BODY_TOO_LARGE, "The request body is limited to " + limit + " bytes.");
    }
}
