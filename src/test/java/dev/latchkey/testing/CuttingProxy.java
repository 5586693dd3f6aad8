package dev.latchkey.testing;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** A proxy in front of a Redis that cuts the connection at a chosen command. */
public final class CuttingProxy implements AutoCloseable {
    /** What becomes of the command at which the connection is cut. */
    public enum Cut {
        NOT_SENT,
        REPLY_LOST
    }

    private final ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
    private final int target;
    private int remaining = Integer.MAX_VALUE;
    private Cut cut = Cut.NOT_SENT;
    private boolean staysDown;
    private boolean down;

    public CuttingProxy(int target) throws IOException {
        this.target = target;
        Thread.startVirtualThread(this::accept);
    }

    public String url() {
        return "redis://localhost:" + server.getLocalPort();
    }

    /**
     * Cuts the connection at a command.
     *
     * @param command 1 is the next one
     * @param staysDown whether new connections are closed too, until {@link #repair}
     */
    public synchronized void cutAt(int command, Cut how, boolean staysDown) {
        remaining = command;
        cut = how;
        this.staysDown = staysDown;
    }

    /** From now on everything passes. Returns whether the connection has been cut. */
    public synchronized boolean repair() {
        boolean wasCut = remaining <= 0;
        remaining = Integer.MAX_VALUE;
        down = false;
        return wasCut;
    }

    /** Returns whether the connection is to be cut at this command. */
    private synchronized boolean count() {
        if (remaining != Integer.MAX_VALUE && --remaining == 0) {
            down = staysDown;
            return true;
        }
        return false;
    }

    private synchronized boolean isDown() {
        return down;
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                if (isDown()) {
                    client.close();
                    continue;
                }
                Socket redis = new Socket(InetAddress.getLoopbackAddress(), target);
                client.setTcpNoDelay(true);
                redis.setTcpNoDelay(true);
                Thread.startVirtualThread(() -> forward(client, redis));
            }
        } catch (IOException _) {
            // closed
        }
    }

    private void forward(Socket client, Socket redis) {
        Thread replies = Thread.startVirtualThread(() -> {
            try (client) {
                redis.getInputStream().transferTo(client.getOutputStream());
            } catch (IOException _) {
                // the end of the connection
            }
        });
        try (client;
                redis) {
            var in = new BufferedInputStream(client.getInputStream());
            while (true) {
                byte[] command = Interleaver.readCommand(in);
                if (count()) {
                    client.close();
                    if (cut == Cut.REPLY_LOST) {
                        redis.getOutputStream().write(command);
                        redis.shutdownOutput(); // executes what it has, and closes
                        replies.join();
                    }
                    return;
                }
                redis.getOutputStream().write(command);
            }
        } catch (IOException | InterruptedException _) {
            // the end of the connection
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
