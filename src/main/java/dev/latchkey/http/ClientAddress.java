package dev.latchkey.http;

import com.sun.net.httpserver.HttpExchange;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/** Finds out the address of the client behind trusted proxies. */
final class ClientAddress {
    private static final Pattern WITH_PORT = Pattern.compile("(\\[.*]|[^:]*):[0-9]{1,5}");
    // InetAddress.ofLiteral would also accept "1" for 0.0.0.1.
    private static final Pattern LITERAL = Pattern.compile("([0-9]{1,3}\\.){3}[0-9]{1,3}|.*:.*");

    private ClientAddress() {}

    /**
     * Returns the address of the client.
     *
     * @param trustedProxyHops number of proxies in front that append to {@code X-Forwarded-For}. Only what they have
     *     appended is used. If the header has fewer addresses, or not an address there, the sender of the request
     *     counts as the client.
     */
    static InetAddress of(HttpExchange exchange, int trustedProxyHops) {
        InetAddress sender = exchange.getRemoteAddress().getAddress();
        if (trustedProxyHops == 0) {
            return sender;
        }
        String forwarded = String.join(",", exchange.getRequestHeaders().getOrDefault("X-Forwarded-For", List.of()));
        List<String> hops = Arrays.asList(forwarded.split(",", -1));
        return hops.size() < trustedProxyHops
                ? sender
                : parse(hops.get(hops.size() - trustedProxyHops).strip(), sender);
    }

    private static InetAddress parse(String hop, InetAddress fallback) {
        var withPort = WITH_PORT.matcher(hop);
        String address = (withPort.matches() ? withPort.group(1) : hop).replaceFirst("%[^\\]]*", ""); // no scope
        try {
            return LITERAL.matcher(address).matches() ? InetAddress.ofLiteral(address) : fallback;
        } catch (IllegalArgumentException _) {
            return fallback;
        }
    }
}
