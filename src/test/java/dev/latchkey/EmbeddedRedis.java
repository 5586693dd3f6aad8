package dev.latchkey;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import redis.embedded.RedisServer;

/** A redis-server process of its own, on loopback, that keeps nothing on disk. */
public final class EmbeddedRedis implements AutoCloseable {
    private final RedisServer server;
    private final int port;

    private EmbeddedRedis(int port) throws IOException {
        this.port = port;
        server = RedisServer.builder()
                .port(port)
                .bind("127.0.0.1")
                .setting("save \"\"")
                .setting("appendonly no")
                .setting("daemonize no")
                .build();
        server.start();
    }

    public static EmbeddedRedis start() throws IOException {
        return startOn(freePort());
    }

    public static EmbeddedRedis startOn(int port) throws IOException {
        return new EmbeddedRedis(port);
    }

    public static int freePort() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    public String url() {
        return "redis://localhost:" + port;
    }

    @Override
    public void close() throws IOException {
        server.stop();
    }
}
