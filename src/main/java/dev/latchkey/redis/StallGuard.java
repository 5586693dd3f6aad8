package dev.latchkey.redis;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Closes a connection that was written to and has not answered since, for the client to open a new one. A firewall that
 * drops packets, or a host that vanished, is else noticed after minutes, when TCP gives up.
 */
final class StallGuard extends ChannelDuplexHandler {
    private static final int CHECKS = 4; // in the time that is allowed

    private final long allowedNanos;
    private boolean waiting;
    private long since;
    private @Nullable Future<?> checks;

    StallGuard(Duration allowed) {
        this.allowedNanos = allowed.toNanos();
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        long period = allowedNanos / CHECKS;
        checks = context.executor().scheduleAtFixedRate(() -> check(context), period, period, TimeUnit.NANOSECONDS);
    }

    private void check(ChannelHandlerContext context) {
        if (waiting && System.nanoTime() - since > allowedNanos) {
            var _ = context.close();
        }
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        if (!waiting) {
            waiting = true;
            since = System.nanoTime();
        }
        var _ = context.write(message, promise);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        waiting = false;
        context.fireChannelRead(message);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        if (checks != null) {
            checks.cancel(false);
        }
    }
}
