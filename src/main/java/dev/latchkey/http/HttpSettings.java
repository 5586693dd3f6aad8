package dev.latchkey.http;

import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * The settings of the HTTP server.
 *
 * @param address to listen on; port 0 selects a free port
 * @param metricsAddress to listen on for metrics; null if they are not served
 * @param maxBodyBytes of a request body; larger ones get a 413
 * @param trustedProxyHops number of proxies in front that append to {@code X-Forwarded-For}
 * @param cors origins whose pages may read responses
 * @param accessLog whether requests are logged
 */
public record HttpSettings(
        InetSocketAddress address,
        @Nullable InetSocketAddress metricsAddress,
        int maxBodyBytes,
        int trustedProxyHops,
        Cors cors,
        boolean accessLog) {}
