package dev.latchkey.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A proxy in front of a Redis that can stop forwarding without closing anything, as a firewall does that drops packets. */
public final class StallingProxy implements AutoCloseable {
    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final int target;
    private final Set<Link> links = ConcurrentHashMap.newKeySet();
    private volatile boolean swallowing;

    private static final class Link {
        private final Socket client;
        private final Socket redis;
        private volatile boolean swallowed;
        private volatile boolean answersSwallowed;

        Link(Socket client, Socket redis, boolean swallowed) {
            this.client = client;
            this.redis = redis;
            this.swallowed = swallowed;
        }

        void forward(Socket from, Socket to) {
            byte[] buffer = new byte[65_536];
            try (from;
                    to) {
                for (int n = from.getInputStream().read(buffer);
                        n >= 0;
                        n = from.getInputStream().read(buffer)) {
                    if (!swallowed && !(answersSwallowed && from.equals(redis))) {
                        to.getOutputStream().write(buffer, 0, n);
                    }
                }
            } catch (IOException _) {
                // one of the ends is gone, and so is the other
            }
        }
    }

    public StallingProxy(int target) throws IOException {
        this.target = target;
        Thread.startVirtualThread(this::accept);
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                var link = new Link(client, new Socket(InetAddress.getLoopbackAddress(), target), swallowing);
                links.add(link);
                Thread.startVirtualThread(() -> link.forward(link.client, link.redis));
                Thread.startVirtualThread(() -> link.forward(link.redis, link.client));
            }
        } catch (IOException _) {
            // closed
        }
    }

    public String url() {
        return "redis://localhost:" + server.getLocalPort();
    }

    /** From now on nothing is forwarded, on any connection. */
    public void swallow() {
        swallowing = true;
        links.forEach(link -> link.swallowed = true);
    }

    /** Connections made from now on are forwarded again; the others never. */
    public void forwardNew() {
        swallowing = false;
    }

    /** Redis gets the commands of the connections that there are, and nobody its answers. */
    public void swallowAnswers() {
        links.forEach(link -> link.answersSwallowed = true);
    }

    /** Closes all connections that there are. */
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
