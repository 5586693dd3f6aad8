package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import io.netty.util.NetUtil;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Who is at the other end of a request.
 *
 * @param address IPv4, or IPv6 in the form of RFC 5952
 * @param network the address; of IPv6 its /64, because a client that has one can choose from all of its addresses
 * @param site the /48 of an IPv6 address, because a provider may hand out one of those; empty for IPv4
 * @param userAgent what the client calls itself: {@value #MAX_USER_AGENT} characters at most, none of them a control
 *     character; empty where it says nothing
 */
public record Client(String address, String network, String site, String userAgent) {
    private static final int MAX_USER_AGENT = 256;
    private static final Pattern WITH_PORT = Pattern.compile("(\\[.*]|[^:]*):[0-9]{1,5}");

    /** @param trustedProxyHops how many proxies in front append to {@code X-Forwarded-For}: only what they wrote counts */
    static Client of(HttpExchange exchange, int trustedProxyHops) {
        var headers = exchange.getRequestHeaders();
        InetAddress address = exchange.getRemoteAddress().getAddress();
        if (trustedProxyHops > 0) {
            String forwarded = String.join(",", headers.getOrDefault("X-Forwarded-For", List.of()));
            List<String> hops = Arrays.asList(forwarded.split(",", -1));
            // a request that came past some of the proxies, or through one that hides the client, counts as its
            // sender's
            if (hops.size() >= trustedProxyHops) {
                address = parse(hops.get(hops.size() - trustedProxyHops).strip(), address);
            }
        }
        String agent = headers.getOrDefault("User-Agent", List.of("")).getFirst();
        String clean = agent.codePoints()
                .filter(c -> !Character.isISOControl(c))
                .limit(MAX_USER_AGENT)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        boolean v4 = address.getAddress().length == 4;
        return new Client(
                text(address), v4 ? text(address) : prefix(address, 64), v4 ? "" : prefix(address, 48), clean);
    }

    private static InetAddress parse(String hop, InetAddress absent) {
        var withPort = WITH_PORT.matcher(hop);
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(withPort.matches() ? withPort.group(1) : hop);
        return bytes == null ? absent : address(bytes);
    }

    private static String prefix(InetAddress address, int bits) {
        byte[] prefix = Arrays.copyOf(Arrays.copyOf(address.getAddress(), bits / Byte.SIZE), 16);
        return text(address(prefix)) + "/" + bits;
    }

    // without a scope ("%eth0"), and an IPv4-mapped IPv6 address as the IPv4 address it is
    private static InetAddress address(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static String text(InetAddress address) {
        return NetUtil.toAddressString(address instanceof Inet6Address ? address(address.getAddress()) : address);
    }
}
