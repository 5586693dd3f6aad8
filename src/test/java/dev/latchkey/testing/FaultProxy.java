package dev.latchkey.testing;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;

/** A proxy in front of a Redis that lets chosen commands fail. */
public final class FaultProxy extends RedisProxy {
    private final Function<RedisCommand, Fault> faults;

    /** @param faults chooses what happens to each command, which waits until then */
    public FaultProxy(int redisPort, Function<RedisCommand, Fault> faults) throws IOException {
        super(redisPort);
        this.faults = faults;
    }

    @Override
    void forward(Socket client, Socket redis) {
        try (client;
                redis) {
            var commands = new BufferedInputStream(client.getInputStream());
            var replies = new BufferedInputStream(redis.getInputStream());
            while (true) {
                byte[] bytes = RedisProtocol.read(commands);
                var command = RedisCommand.of(bytes);
                Fault fault = faults.apply(command);
                byte[] reply = command.error().getBytes(StandardCharsets.US_ASCII);
                if (fault.isExecuted) {
                    redis.getOutputStream().write(bytes);
                    reply = RedisProtocol.read(replies);
                }
                if (!fault.hasReply) {
                    return;
                }
                client.getOutputStream().write(reply);
            }
        } catch (IOException _) {
            // The connection was closed.
        }
    }
}
