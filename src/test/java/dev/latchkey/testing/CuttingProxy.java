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
        try (client;
                redis) {
            var commands = new BufferedInputStream(client.getInputStream());
            var replies = new BufferedInputStream(redis.getInputStream());
            while (true) {
                byte[] command = RedisProtocol.read(commands);
                boolean isCut = countCommand();
                if (isCut && cut == Cut.NOT_SENT) {
                    return;
                }
                redis.getOutputStream().write(command);
                byte[] reply = RedisProtocol.read(replies);
                if (isCut) {
                    return;
                }
                client.getOutputStream().write(reply);
            }
        } catch (IOException _) {
            // The connection was closed.
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
