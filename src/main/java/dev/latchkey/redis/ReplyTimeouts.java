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
import java.util.Queue;
import java.util.concurrent.TimeUnit;

/**
 * Fails commands whose reply is late, and closes a connection on which nothing arrives any more.
 *
 * <p>All commands have the same timeout and are answered in order, so it is enough to count now and then how many of
 * them have been waiting for too long. Lettuce's own timeouts set two timers per command, each of which wakes a thread.
 *
 * <p>If a firewall drops packets or a host disappears, TCP takes minutes to notice. Lettuce reconnects once this
 * handler has closed the connection.
 */
final class ReplyTimeouts extends ChannelDuplexHandler {
    private static final int CHECKS_PER_TIMEOUT = 10; // so a command may take a tenth longer than its timeout
    private static final Duration MIN_STALL_TIMEOUT = Duration.ofSeconds(3);

    private final Duration timeout;
    private final Connector owner;
    private final long checkNanos;
    private final long maxSilentChecks;
    private final Queue<RedisCommand<?, ?, ?>> unanswered; // oldest first; a command stays after it has timed out
    private final Queue<Long> writtenBefore = new ArrayDeque<>(); // at each of the last checks, oldest first
    private long written; // number of commands
    private long silentChecks; // since something arrived, or since nothing was unanswered

    private ReplyTimeouts(Queue<RedisCommand<?, ?, ?>> unanswered, Duration timeout, Connector owner) {
        this.unanswered = unanswered;
        this.timeout = timeout;
        this.owner = owner;
        checkNanos = timeout.toNanos() / CHECKS_PER_TIMEOUT;
        maxSilentChecks = Math.max(CHECKS_PER_TIMEOUT, MIN_STALL_TIMEOUT.toNanos() / checkNanos);
    }

    /** Adds a handler where it sees both commands being written and bytes arriving. */
    static void install(ChannelPipeline pipeline, Duration timeout, Connector owner) {
        var context = pipeline.context(CommandHandler.class);
        var unanswered = ((CommandHandler) context.handler()).getStack();
        pipeline.addBefore(context.name(), null, new ReplyTimeouts(unanswered, timeout, owner));
    }

    // Lettuce fires this event after the handshake.
    @Override
    public void channelActive(ChannelHandlerContext context) {
        owner.opened(context.channel());
        context.fireChannelActive();
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        check(context);
    }

    private void check(ChannelHandlerContext context) {
        if (context.isRemoved()) {
            return;
        }
        SslHandler tls = context.pipeline().get(SslHandler.class);
        if (tls == null || tls.handshakeFuture().isDone()) { // the first command is sent after the TLS handshake
            failLateCommands();
            silentChecks = unanswered.isEmpty() ? 0 : silentChecks + 1;
            if (silentChecks > maxSilentChecks) {
                var _ = context.close();
            }
        }
        var _ = context.executor().schedule(() -> check(context), checkNanos, TimeUnit.NANOSECONDS);
    }

    private void failLateCommands() {
        writtenBefore.add(written);
        if (writtenBefore.size() > CHECKS_PER_TIMEOUT) {
            long recent = written - writtenBefore.remove();
            long late = Math.max(0, unanswered.size() - recent);
            for (var command : unanswered.stream().limit(late).toList()) {
                command.completeExceptionally(new RedisCommandTimeoutException("no reply within " + timeout));
            }
        }
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        written += message instanceof Collection<?> commands ? commands.size() : 1;
        var _ = context.write(message, promise);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        silentChecks = 0;
        context.fireChannelRead(message);
    }
}
