package dev.latchkey.redis;

import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.DefaultNameResolver;
import io.netty.resolver.InetSocketAddressResolver;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnknownHostException;

/**
 * Resolves host names like every other program on the machine: with all nameservers and options of resolv.conf. (Netty's
 * own resolver gives up if the first nameserver is silent.) Of several addresses, takes the first one that accepts a
 * connection. A random one, as netty's {@code RoundRobinInetAddressResolver} takes, would be a wrong one half of the
 * time: {@code localhost} often has two, of which Redis has one.
 */
final class SystemResolver extends AddressResolverGroup<InetSocketAddress> {
    private static final int PROBE_MILLIS = 1000; // several of them fit into the time of a handshake

    @Override
    protected AddressResolver<InetSocketAddress> newResolver(EventExecutor executor) {
        return new InetSocketAddressResolver(executor, new DefaultNameResolver(executor)) {
            @Override
            protected void doResolve(InetSocketAddress address, Promise<InetSocketAddress> promise) {
                // Takes seconds if a nameserver is silent. The other connections need the event loop meanwhile.
                Thread.ofPlatform().daemon().name("dns").start(() -> {
                    try {
                        promise.setSuccess(reachable(address.getHostString(), address.getPort()));
                    } catch (UnknownHostException e) {
                        promise.setFailure(e);
                    }
                });
            }
        };
    }

    private static InetSocketAddress reachable(String host, int port) throws UnknownHostException {
        InetAddress[] all = InetAddress.getAllByName(host);
        for (int i = 0; all.length > 1 && i < all.length; i++) {
            var address = new InetSocketAddress(all[i], port);
            try (var probe = new Socket()) {
                probe.connect(address, PROBE_MILLIS);
                return address;
            } catch (IOException _) {
                // The next address may accept a connection.
            }
        }
        return new InetSocketAddress(all[0], port);
    }
}
