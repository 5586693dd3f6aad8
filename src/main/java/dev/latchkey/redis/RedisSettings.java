package dev.latchkey.redis;

import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.List;

/**
 * How to connect to Redis.
 *
 * @param url {@code REDIS_URL}: one or several URLs
 * @param cluster whether a single URL is a node of a cluster; several URLs always are
 * @param sentinelPassword of the sentinels themselves; empty if they have none
 * @param timeout of each command, and of each TCP connect
 */
public record RedisSettings(String url, boolean cluster, String sentinelPassword, Duration timeout) {
    // Redis may be far away, so that each command is fast enough, but not the whole handshake.
    private static final Duration MIN_HANDSHAKE_TIMEOUT = Duration.ofSeconds(5);

    /**
     * @throws IllegalArgumentException if the URL is not valid, or if it needs TLS and the client certificate cannot be
     *     read. The message does not quote the URL.
     */
    public RedisSettings {
        if (RedisUrl.parse(url, cluster, sentinelPassword, timeout).getFirst().isSsl()) {
            var _ = ClientCertificate.options();
        }
    }

    List<RedisURI> uris() {
        return RedisUrl.parse(url, cluster, sentinelPassword, handshakeTimeout());
    }

    /** Returns the time in which a new connection must have become usable. */
    Duration handshakeTimeout() {
        return timeout.compareTo(MIN_HANDSHAKE_TIMEOUT) > 0 ? timeout : MIN_HANDSHAKE_TIMEOUT;
    }

    /** Returns the timeout, without the passwords. */
    @Override
    public String toString() {
        return "RedisSettings[timeout=" + timeout + "]";
    }
}
