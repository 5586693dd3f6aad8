package dev.latchkey.redis;

import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.protocol.RedisCommand;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Queue;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Fails commands that Redis has not answered in time. All have the same time and are written in order, so one look at the
 * oldest ones now and then does what Lettuce's own timeouts do with two timers a command, each of which wakes a thread.
 */
final class CommandTimeouts extends ChannelDuplexHandler {
    private static final int CHECKS = 10; // in the time that is allowed: a command may have a tenth more

    private record Pending(RedisCommand<?, ?, ?> command, long since) {}

    private final Duration allowed;
    private final Queue<Pending> oldestFirst = new ArrayDeque<>();
    private @Nullable Future<?> checks;

    CommandTimeouts(Duration allowed) {
        this.allowed = allowed;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        long period = allowed.toNanos() / CHECKS;
        checks = context.executor().scheduleAtFixedRate(this::check, period, period, TimeUnit.NANOSECONDS);
    }

    private void check() {
        dropAnswered();
        while (!oldestFirst.isEmpty()
                && System.nanoTime() - oldestFirst.element().since() > allowed.toNanos()) {
            oldestFirst.remove().command().completeExceptionally(timeout());
            dropAnswered();
        }
    }

    private void dropAnswered() {
        while (!oldestFirst.isEmpty() && oldestFirst.element().command().isDone()) {
            oldestFirst.remove();
        }
    }

    private RedisCommandTimeoutException timeout() {
        return new RedisCommandTimeoutException("no answer after " + allowed);
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        dropAnswered();
        long now = System.nanoTime();
        switch (message) {
            case RedisCommand<?, ?, ?> command -> oldestFirst.add(new Pending(command, now));
            case Collection<?> batch ->
                batch.forEach(command -> oldestFirst.add(new Pending((RedisCommand<?, ?, ?>) command, now)));
            default -> {}
        }
        var _ = context.write(message, promise);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        if (checks != null) {
            checks.cancel(false);
        }
    }
}
