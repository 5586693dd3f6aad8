package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.IntConsumer;

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
    private final IntConsumer beforeDrain;
    private long unread;
    private int limit = Integer.MAX_VALUE;
    private long count;

    /**
     * @param contentLength in bytes; ignored if {@code chunked}
     * @param beforeDrain receives the status code after the response is sent, and before the rest of the request body
     *     is discarded. The client decides how long that takes.
     */
    private RequestBody(InputStream in, boolean chunked, long contentLength, IntConsumer beforeDrain) {
        this.in = in;
        this.chunked = chunked;
        this.unread = chunked ? Long.MAX_VALUE : contentLength;
        this.beforeDrain = beforeDrain;
    }

    /** Replaces the request body of the exchange, if it has one. */
    static void install(HttpExchange exchange, RequestHead head, IntConsumer beforeDrain) {
        if (head.isChunked() || head.contentLength() != null) {
            long length = head.contentLength() == null ? 0 : Long.parseLong(head.contentLength());
            exchange.setStreams(
                    new RequestBody(exchange.getRequestBody(), head.isChunked(), length, beforeDrain), null);
        }
    }

    /** Returns the body that {@link #install} has installed, or an empty body. */
    static RequestBody of(HttpExchange exchange) {
        return exchange.getRequestBody() instanceof RequestBody body
                ? body
                : new RequestBody(InputStream.nullInputStream(), false, 0, _ -> {});
    }

    /**
     * Returns this stream, limited to {@code max} bytes. Reading more of it throws a 413 {@link Problem}.
     *
     * @throws Problem 413 if the request declares more bytes
     */
    InputStream limitedTo(int max) {
        limit = max;
        if (!chunked && unread > max) {
            throw tooLarge();
        }
        return this;
    }

    /** Discards the bytes that have already arrived, and reports whether the body is now read completely. */
    boolean isComplete() throws IOException {
        if (!chunked && unread > 0) {
            unread -= in.skip(Math.min(unread, in.available()));
        }
        return unread == 0;
    }

    void beforeDrain(int status) {
        beforeDrain.accept(status);
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
            if (e instanceof IOException io && !chunked) {
                throw io;
            }
            // The JDK's parser throws the latter for a chunk size near 2^31, and the former for trailer fields.
            throw new Problem(400, "The chunked encoding is malformed, or has trailer fields, which are not supported.")
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
        return new Problem(413, "The request body is limited to " + limit + " bytes.");
    }
}
