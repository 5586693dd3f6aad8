package dev.latchkey.http;

import static java.lang.System.Logger.Level.WARNING;

import com.sun.net.httpserver.HttpExchange;
import java.net.InetAddress;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Pattern;

/** Finds out the address of the client behind trusted proxies. */
final class ClientAddress {
    private static final Pattern WITH_PORT = Pattern.compile("(\\[.*]|[^:]*):[0-9]{1,5}");
    // InetAddress.ofLiteral would also accept "1" for 0.0.0.1.
    private static final Pattern SCOPE = Pattern.compile("%[^\\]]*");
    private static final Pattern LITERAL = Pattern.compile("([0-9]{1,3}\\.){3}[0-9]{1,3}|.*:.*");

    private static final System.Logger LOG = System.getLogger("latchkey.http");
    private static final String UNTRUSTED =
            "X-Forwarded-For is not used, because TRUSTED_PROXY_HOPS is 0. If a proxy is"
                    + " in front, all clients share its address and its rate limit: set TRUSTED_PROXY_HOPS";
    private static final AtomicBoolean WARNED = new AtomicBoolean();

    private ClientAddress() {}

    /**
     * Returns the address of the client.
     *
     * @param forwardedFor the lines of {@code X-Forwarded-For}
     * @param trustedProxyHops number of proxies in front that append to {@code X-Forwarded-For}. Only what they have
     *     appended is used. If the header has fewer addresses, or not an address there, the sender of the request
     *     counts as the client.
     */
    static InetAddress of(HttpExchange exchange, List<String> forwardedFor, int trustedProxyHops) {
        InetAddress sender = exchange.getRemoteAddress().getAddress();
        if (trustedProxyHops == 0) {
            if (!forwardedFor.isEmpty() && WARNED.compareAndSet(false, true)) {
                LOG.log(WARNING, UNTRUSTED);
            }
            return sender;
        }
        String[] hops = String.join(",", forwardedFor).split(",", -1);
        int index = hops.length - trustedProxyHops;
        return index < 0 ? sender : parse(hops[index].strip(), sender);
    }

    private static InetAddress parse(String hop, InetAddress fallback) {
        var withPort = WITH_PORT.matcher(hop);
        String literal = withPort.matches() ? withPort.group(1) : hop;
        String address = SCOPE.matcher(literal).replaceFirst("");
        try {
            return LITERAL.matcher(address).matches() ? InetAddress.ofLiteral(address) : fallback;
        } catch (IllegalArgumentException _) {
            return fallback;
        }
    }
}
