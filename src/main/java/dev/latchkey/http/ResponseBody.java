package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.function.IntConsumer;

/**
 * The body of a response, which reports that the response is sent before the JDK's server knows it, and reads the next
 * request of the connection. The access log therefore has the requests of a connection in their order.
 */
final class ResponseBody extends FilterOutputStream {
    private final HttpExchange exchange;
    private final IntConsumer onSent;

    private ResponseBody(OutputStream out, HttpExchange exchange, IntConsumer onSent) {
        super(out);
        this.exchange = exchange;
        this.onSent = onSent;
    }

    /**
     * Replaces the response body of the exchange.
     *
     * @param onSent receives the status code
     */
    static void install(HttpExchange exchange, IntConsumer onSent) {
        exchange.setStreams(null, new ResponseBody(exchange.getResponseBody(), exchange, onSent));
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        out.write(bytes, offset, length); // not byte by byte
    }

    // The JDK's server also calls this after a response without a body.
    @Override
    public void close() throws IOException {
        out.flush();
        onSent.accept(exchange.getResponseCode());
        out.close();
    }
}
