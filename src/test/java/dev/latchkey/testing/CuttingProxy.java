package dev.latchkey.testing;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * A proxy in front of a Redis that closes the connection at a chosen command. With it, tests find out what a request
 * leaves behind if it fails halfway.
 */
public final class CuttingProxy implements AutoCloseable {
    /** Whether Redis still executes the command at which the connection is cut. */
    public enum Cut {
        NOT_SENT,
        REPLY_LOST
    }

    private final ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
    private final int redisPort;
    private int commandsUntilCut = Integer.MAX_VALUE;
    private Cut cut = Cut.NOT_SENT;
    private boolean staysDown;
    private boolean down;

    public CuttingProxy(int redisPort) throws IOException {
        this.redisPort = redisPort;
        Thread.startVirtualThread(this::accept);
    }

    public String url() {
        return "redis://localhost:" + server.getLocalPort();
    }

    /**
     * Arranges that the connection is cut at a command.
     *
     * @param command number of the command, counted from 1, which is the next command
     * @param staysDown whether new connections are closed too, until {@link #repair} is called
     */
    public synchronized void cutAt(int command, Cut how, boolean staysDown) {
        commandsUntilCut = command;
        cut = how;
        this.staysDown = staysDown;
    }

    /** Forwards every command from now on. Reports whether the connection had been cut. */
    public synchronized boolean repair() {
        boolean wasCut = commandsUntilCut <= 0;
        commandsUntilCut = Integer.MAX_VALUE;
        down = false;
        return wasCut;
    }

    /** Counts a command. Reports whether the connection must be cut at this command. */
    private synchronized boolean countCommand() {
        if (commandsUntilCut != Integer.MAX_VALUE && --commandsUntilCut == 0) {
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
                Socket redis = new Socket(InetAddress.getLoopbackAddress(), redisPort);
                client.setTcpNoDelay(true);
                redis.setTcpNoDelay(true);
                Thread.startVirtualThread(() -> forward(client, redis));
            }
        } catch (IOException _) {
            // The proxy was closed.
        }
    }

    private void forward(Socket client, Socket redis) {
        Thread replies = Thread.startVirtualThread(() -> {
            try (client) {
                redis.getInputStream().transferTo(client.getOutputStream());
            } catch (IOException _) {
                // The connection was closed.
            }
        });
        try (client;
                redis) {
            var in = new BufferedInputStream(client.getInputStream());
            while (true) {
                byte[] command = RedisProtocol.read(in);
                if (countCommand()) {
                    client.close();
                    if (cut == Cut.REPLY_LOST) {
                        redis.getOutputStream().write(command);
                        redis.shutdownOutput(); // Redis executes what it has received, then closes
                        replies.join();
                    }
                    return;
                }
                redis.getOutputStream().write(command);
            }
        } catch (IOException | InterruptedException _) {
            // The connection was closed.
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
