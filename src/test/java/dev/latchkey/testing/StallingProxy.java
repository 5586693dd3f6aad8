package dev.latchkey.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * A proxy in front of a Redis that can stop forwarding without closing any connection, like a firewall that drops
 * packets. It can also delay what it forwards, or forward new connections to another Redis.
 */
public final class StallingProxy implements AutoCloseable {
    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final Set<Link> links = ConcurrentHashMap.newKeySet();
    private volatile int redisPort;
    private volatile int delayMillis;
    private volatile boolean dropsNewLinks;

    /** One connection from a client through the proxy to Redis. */
    private final class Link {
        private final Socket client;
        private final Socket redis;
        private volatile boolean dropsAll;
        private volatile boolean dropsReplies;

        Link(Socket client, Socket redis, boolean dropsAll) {
            this.client = client;
            this.redis = redis;
            this.dropsAll = dropsAll;
        }

        void forward(Socket from, Socket to) {
            byte[] buffer = new byte[65_536];
            try (from;
                    to;
                    var writer = Executors.newSingleThreadScheduledExecutor()) {
                for (int n = from.getInputStream().read(buffer);
                        n >= 0;
                        n = from.getInputStream().read(buffer)) {
                    if (dropsAll || (dropsReplies && from.equals(redis))) {
                        continue;
                    }
                    if (delayMillis == 0) {
                        to.getOutputStream().write(buffer, 0, n);
                        continue;
                    }
                    byte[] delayed = Arrays.copyOf(buffer, n);
                    var _ = writer.schedule(
                            () -> {
                                to.getOutputStream().write(delayed);
                                return delayed;
                            },
                            delayMillis,
                            TimeUnit.MILLISECONDS);
                }
            } catch (IOException _) {
                // One side was closed, so the other side is closed too.
            }
        }
    }

    public StallingProxy(int redisPort) throws IOException {
        this.redisPort = redisPort;
        Thread.startVirtualThread(this::accept);
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                var link = new Link(client, new Socket(InetAddress.getLoopbackAddress(), redisPort), dropsNewLinks);
                links.add(link);
                Thread.startVirtualThread(() -> link.forward(link.client, link.redis));
                Thread.startVirtualThread(() -> link.forward(link.redis, link.client));
            }
        } catch (IOException _) {
            // The proxy was closed.
        }
    }

    public String url() {
        return "redis://localhost:" + server.getLocalPort();
    }

    /** Forwards new connections to another Redis. Connections that exist already stay as they are. */
    public void moveTo(int redisPort) {
        this.redisPort = redisPort;
    }

    /** Delays all bytes in both directions. */
    public void delay(int millis) {
        delayMillis = millis;
    }

    /** Stops forwarding on all connections, including new ones. */
    public void swallow() {
        dropsNewLinks = true;
        links.forEach(link -> link.dropsAll = true);
    }

    /** Forwards new connections again. Connections that exist already stay stalled. */
    public void forwardNew() {
        dropsNewLinks = false;
    }

    /** Keeps forwarding commands on the existing connections, but drops the replies of Redis. */
    public void swallowAnswers() {
        links.forEach(link -> link.dropsReplies = true);
    }

    /** Closes all existing connections. */
    public void cut() throws IOException {
        for (Link link : links) {
            link.client.close();
            link.redis.close();
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        cut();
    }
}
