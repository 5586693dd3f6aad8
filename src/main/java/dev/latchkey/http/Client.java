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
 * @param network the address; of IPv6 its /64: who has one has all of its addresses to choose from
 * @param userAgent what the client calls itself: {@value #MAX_USER_AGENT} characters at most, none of them a control
 *     character; empty where it says nothing
 */
public record Client(String address, String network, String userAgent) {
    private static final int MAX_USER_AGENT = 256;
    private static final int PREFIX_BYTES = 8;
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
        return new Client(text(address), network(address), clean);
    }

    private static InetAddress parse(String hop, InetAddress absent) {
        var withPort = WITH_PORT.matcher(hop);
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(withPort.matches() ? withPort.group(1) : hop);
        return bytes == null ? absent : address(bytes);
    }

    private static String network(InetAddress address) {
        byte[] prefix = address.getAddress();
        if (prefix.length == 4) {
            return text(address);
        }
        Arrays.fill(prefix, PREFIX_BYTES, prefix.length, (byte) 0);
        return text(address(prefix)) + "/64";
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
