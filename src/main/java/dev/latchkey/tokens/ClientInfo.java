package dev.latchkey.tokens;

import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The client that sent a request.
 *
 * @param address IPv4, or IPv6 in the form of RFC 5952
 * @param rateLimitKey the address, or the /64 of an IPv6 address, because a client can use all addresses of its /64; the
 *     embedded IPv4 address if the client comes through NAT64
 * @param siteRateLimitKey the /48 of an IPv6 address, because a provider may assign one to a client; empty for IPv4
 * @param userAgent at most {@value #MAX_USER_AGENT_LENGTH} characters without control characters; empty if unknown
 * @param requestId of the request, for the audit log
 */
public record ClientInfo(
        String address, String rateLimitKey, String siteRateLimitKey, String userAgent, String requestId) {
    /** For what an operator does without a request. */
    public static final ClientInfo NONE = new ClientInfo("", "", "", "", "");

    private static final int MAX_USER_AGENT_LENGTH = 256;
    private static final Pattern ZEROS = Pattern.compile("(?:^|(?<=:))0(?::0)+(?=:|$)"); // groups
    private static final byte[] NAT64 = {0, 0x64, (byte) 0xff, (byte) 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}; // RFC 6052 §2.1

    /** @param userAgent as the client sent it */
    public static ClientInfo of(InetAddress address, String userAgent, String requestId) {
        String clean = userAgent
                .codePoints()
                .filter(c -> !Character.isISOControl(c))
                .limit(MAX_USER_AGENT_LENGTH)
                .mapToObj(Character::toString)
                .collect(Collectors.joining());
        byte[] bytes = address.getAddress();
        // Behind NAT64, all of IPv4 is in one /64.
        boolean isNat64 = bytes.length > NAT64.length && Arrays.mismatch(bytes, NAT64) == NAT64.length;
        InetAddress client = isNat64 ? of(Arrays.copyOfRange(bytes, NAT64.length, bytes.length)) : address;
        boolean v6 = client instanceof Inet6Address;
        String key = v6 ? prefix(client, 64) : client.getHostAddress();
        return new ClientInfo(text(address), key, v6 ? prefix(client, 48) : "", clean, requestId);
    }

    private static String prefix(InetAddress address, int bits) {
        byte[] bytes = address.getAddress();
        Arrays.fill(bytes, bits / Byte.SIZE, bytes.length, (byte) 0);
        return text(of(bytes)) + "/" + bits;
    }

    /** Returns an address as text: IPv6 in the form of RFC 5952. */
    public static String text(InetAddress address) {
        if (address instanceof Inet4Address) {
            return address.getHostAddress();
        }
        // a new object, because an address that came with a scope ("%eth0") would print it
        String text = of(address.getAddress()).getHostAddress();
        int start = 0;
        int end = 0;
        for (Matcher zeros = ZEROS.matcher(text); zeros.find(); ) { // the longest run becomes "::" (RFC 5952 §4.2)
            if (zeros.end() - zeros.start() > end - start) {
                start = zeros.start();
                end = zeros.end();
            }
        }
        return end == 0
                ? text
                : text.substring(0, Math.max(0, start - 1)) + "::" + text.substring(Math.min(text.length(), end + 1));
    }

    private static InetAddress of(byte[] address) {
        try {
            return InetAddress.getByAddress(address);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
