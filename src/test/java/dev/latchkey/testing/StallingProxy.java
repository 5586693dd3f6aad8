package dev.latchkey.testing;

import java.io.IOException;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A proxy in front of a Redis that can stop forwarding without closing any connection, like a firewall that drops
 * packets. It can also delay what it forwards, or forward new connections to another Redis.
 */
public final class StallingProxy extends RedisProxy {
    private final AtomicInteger connections = new AtomicInteger();
    private volatile int delayMillis;
    private volatile int firstForwarded; // the number of a connection

    public StallingProxy(int redisPort) throws IOException {
        super(redisPort);
    }

    @Override
    void forward(Socket client, Socket redis) {
        int number = connections.getAndIncrement();
        Thread.startVirtualThread(() -> copy(number, redis, client));
        copy(number, client, redis);
    }

    private void copy(int number, Socket from, Socket to) {
        byte[] buffer = new byte[65_536];
        try (from;
                to) {
            int n = from.getInputStream().read(buffer);
            while (n >= 0) {
                Thread.sleep(delayMillis);
                if (number >= firstForwarded) {
                    to.getOutputStream().write(buffer, 0, n);
                }
                n = from.getInputStream().read(buffer);
            }
        } catch (IOException | InterruptedException _) {
            // One side was closed, so the other side is closed too.
        }
    }

    /** Delays what arrives, in both directions. */
    public void delay(int millis) {
        delayMillis = millis;
    }

    /** Stops forwarding on all connections, including new ones. */
    public void swallow() {
        firstForwarded = Integer.MAX_VALUE;
    }

    /** Forwards new connections again. Connections that exist already stay stalled. */
    public void forwardNew() {
        firstForwarded = connections.get();
    }
}
