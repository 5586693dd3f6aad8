package dev.latchkey.redis;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.resolver.AbstractAddressResolver;
import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Resolves host names like every other program on the machine: with all nameservers and options of resolv.conf. (Netty's
 * own resolver gives up if the first nameserver is silent.) Of several addresses, takes the first one to which the last
 * attempt to connect did not fail.
 */
final class SystemResolver extends AddressResolverGroup<InetSocketAddress> {
    private final Set<SocketAddress> failed = ConcurrentHashMap.newKeySet();

    /** Makes the resolver learn whether a channel can connect. */
    void watch(ChannelPipeline pipeline) {
        pipeline.addFirst(new ChannelOutboundHandlerAdapter() {
            @Override
            public void connect(
                    ChannelHandlerContext context, SocketAddress remote, SocketAddress local, ChannelPromise promise) {
                promise.addListener(result -> {
                    var _ = result.isSuccess() ? failed.remove(remote) : failed.add(remote);
                });
                var _ = context.connect(remote, local, promise);
            }
        });
    }

    @Override
    protected AddressResolver<InetSocketAddress> newResolver(EventExecutor executor) {
        return new AbstractAddressResolver<>(executor, InetSocketAddress.class) {
            @Override
            protected boolean doIsResolved(InetSocketAddress address) {
                return !address.isUnresolved();
            }

            @Override
            protected void doResolve(InetSocketAddress address, Promise<InetSocketAddress> promise) {
                resolveAll(address).addListener((Future<List<InetSocketAddress>> all) -> {
                    if (all.isSuccess()) {
                        promise.setSuccess(preferred(all.getNow()));
                    } else {
                        promise.setFailure(all.cause());
                    }
                });
            }

            @Override
            protected void doResolveAll(InetSocketAddress address, Promise<List<InetSocketAddress>> promise) {
                // Takes seconds if a nameserver is silent. The other connections need the event loop meanwhile.
                Thread.ofPlatform().daemon().name("dns").start(() -> {
                    try {
                        promise.setSuccess(Arrays.stream(InetAddress.getAllByName(address.getHostString()))
                                .map(each -> new InetSocketAddress(each, address.getPort()))
                                .toList());
                    } catch (UnknownHostException e) {
                        promise.setFailure(e);
                    }
                });
            }
        };
    }

    private InetSocketAddress preferred(List<InetSocketAddress> all) {
        if (failed.containsAll(all)) {
            all.forEach(failed::remove);
        }
        return all.stream()
                .filter(address -> !failed.contains(address))
                .findFirst()
                .orElse(all.getFirst());
    }
}
