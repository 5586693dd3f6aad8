package dev.latchkey.redis;

import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.protocol.CommandHandler;
import io.lettuce.core.protocol.RedisCommand;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.ssl.SslHandler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Fails commands whose reply is late, and closes a connection on which nothing arrives any more.
 *
 * <p>All commands have the same timeout and are written in order, so looking at the oldest ones now and then is
 * enough. Lettuce's own timeouts set two timers per command, each of which wakes a thread.
 *
 * <p>If a firewall drops packets or a host disappears, TCP takes minutes to notice. Lettuce reconnects once this
 * handler has closed the connection.
 */
final class ReplyTimeouts extends ChannelDuplexHandler {
    private static final int CHECKS_PER_TIMEOUT = 10; // so a command may take a tenth longer than its timeout

    private record Pending(RedisCommand<?, ?, ?> command, long writtenNanos) {}

    private final Duration commandTimeout;
    private final Duration stallTimeout;
    private final Connector owner;
    private final Queue<Pending> oldestFirst = new ArrayDeque<>();
    private boolean silent; // whether nothing has arrived since silentSinceNanos
    private long silentSinceNanos;
    private boolean ready; // whether the handshake has succeeded
    private @Nullable Future<?> checks;

    /** @param stallTimeout after a write without any bytes arriving, after which the connection is closed */
    private ReplyTimeouts(Duration commandTimeout, Duration stallTimeout, Connector owner) {
        this.commandTimeout = commandTimeout;
        this.stallTimeout = stallTimeout;
        this.owner = owner;
    }

    /** Adds a handler where it sees both commands being written and bytes arriving. */
    static void install(ChannelPipeline pipeline, Duration commandTimeout, Duration stallTimeout, Connector owner) {
        String commandHandler = pipeline.context(CommandHandler.class).name();
        pipeline.addBefore(commandHandler, null, new ReplyTimeouts(commandTimeout, stallTimeout, owner));
    }

    // Lettuce fires this event after the handshake.
    @Override
    public void channelActive(ChannelHandlerContext context) {
        ready = true;
        owner.opened(context.channel());
        context.fireChannelActive();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        if (ready) {
            owner.lost();
        }
        context.fireChannelInactive();
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        long period = commandTimeout.toNanos() / CHECKS_PER_TIMEOUT;
        checks = context.executor().scheduleAtFixedRate(() -> check(context), period, period, TimeUnit.NANOSECONDS);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        if (checks != null) {
            checks.cancel(false);
        }
    }

    private void check(ChannelHandlerContext context) {
        SslHandler tls = context.pipeline().get(SslHandler.class);
        if (tls != null && !tls.handshakeFuture().isDone()) {
            restart(); // the first command is sent after the TLS handshake
        }
        removeCompleted();
        while (!oldestFirst.isEmpty()
                && System.nanoTime() - oldestFirst.element().writtenNanos() > commandTimeout.toNanos()) {
            var timeout = new RedisCommandTimeoutException("no reply within " + commandTimeout);
            oldestFirst.remove().command().completeExceptionally(timeout);
            removeCompleted();
        }
        if (silent && System.nanoTime() - silentSinceNanos > stallTimeout.toNanos()) {
            var _ = context.close();
        }
    }

    private void restart() {
        silentSinceNanos = System.nanoTime();
        Pending first = oldestFirst.poll();
        if (first != null) {
            oldestFirst.add(new Pending(first.command(), silentSinceNanos));
        }
    }

    private void removeCompleted() {
        while (!oldestFirst.isEmpty() && oldestFirst.element().command().isDone()) {
            oldestFirst.remove();
        }
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        removeCompleted();
        long now = System.nanoTime();
        if (!silent) {
            silent = true;
            silentSinceNanos = now;
        }
        Collection<?> commands = message instanceof Collection<?> batch ? batch : List.of(message);
        for (Object command : commands) {
            oldestFirst.add(new Pending((RedisCommand<?, ?, ?>) command, now));
        }
        var _ = context.write(message, promise);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        silent = false;
        context.fireChannelRead(message);
    }
}
