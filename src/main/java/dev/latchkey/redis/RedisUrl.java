package dev.latchkey.redis;

import io.lettuce.core.RedisURI;
import io.lettuce.core.SslVerifyMode;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import reactor.util.Loggers;

/**
 * Parses {@code REDIS_URL} strictly. Lettuce would ignore what it does not know: {@code ?ssl=true} would mean plain
 * text, and of a password that is not encoded, a part would become the host name, which DNS servers see. No message
 * quotes the URL, because each part of it may be a part of the password.
 */
final class RedisUrl {
    // Lettuce would log one line per attempt to reconnect. OutageLog logs what an operator needs to know.
    private static final Logger LETTUCE_LOGGER = Logger.getLogger("io.lettuce");

    static { // in this class, because nothing uses Lettuce before a URL is parsed
        // SLF4J, which a part of Lettuce uses, would print that it has no provider.
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE);
        Loggers.useJdkLoggers();
        LETTUCE_LOGGER.setLevel(Level.SEVERE);
        // A tool for authors of netty handlers, whose stack traces cost 1 % of the CPU of a token check.
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    }

    private static final String USER_INFO = "(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"; // RFC 3986 §3.2.1
    // Host names in Docker Compose may have underscores, which java.net.URI does not accept.
    private static final String NODE = "(?:[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+])(?::[0-9]{1,5})?";
    private static final Pattern URL = Pattern.compile("redis(?<tls>s?)(?<sentinel>-sentinel)?://"
            + ("(?:(?:(?<user>" + USER_INFO + "*):)?(?<password>(?:" + USER_INFO + "|:)*)@)?")
            + ("(?<nodes>" + NODE + "(?:," + NODE + ")*)(?:/(?<database>[0-9]{0,4}))?")
            + "(?:\\?verifyPeer=(?<verify>(?i)full|ca|none))?(?:#(?<master>[A-Za-z0-9._-]+))?");
    private static final String FORMAT = "must be redis://[user:password@]host[:port][/database], several such URLs"
            + " separated by commas, or redis-sentinel://[user:password@]host[:port][,host[:port]]#master. With TLS, it"
            + " starts with rediss, and ?verifyPeer=full, ca or none may precede #master. Special characters in user and"
            + " password must be percent-encoded, and an IPv6 address needs brackets";

    private RedisUrl() {}

    /**
     * Returns the URL of a standalone Redis or of Sentinel, or the URLs of nodes of a cluster.
     *
     * @param cluster whether a single URL is a node of a cluster
     * @param sentinelPassword of the sentinels themselves; empty if they have none
     * @param connectTimeout of each attempt to connect, with its handshake
     * @throws IllegalArgumentException if it is not such a URL
     */
    static List<RedisURI> parse(String text, boolean cluster, String sentinelPassword, Duration connectTimeout) {
        String[] urls = text.split("\\s*,\\s*(?=rediss?(?:-sentinel)?://)", -1); // a password may contain a comma
        List<RedisURI> parsed = new ArrayList<>();
        for (String url : urls) {
            Matcher parts = URL.matcher(url);
            require(parts.matches(), FORMAT);
            var builder = builder(parts, cluster || urls.length > 1, sentinelPassword);
            parsed.add(builder.withTimeout(connectTimeout).build());
        }
        require(parsed.stream().map(RedisURI::isSsl).distinct().count() == 1, "must have the same scheme in all URLs");
        return parsed;
    }

    private static RedisURI.Builder builder(Matcher url, boolean cluster, String sentinelPassword) {
        boolean tls = !part(url, "tls").isEmpty();
        boolean sentinel = !part(url, "sentinel").isEmpty();
        String master = part(url, "master");
        String[] nodes = part(url, "nodes").split(",", -1);
        require(sentinel ? !master.isEmpty() : master.isEmpty() && nodes.length == 1, FORMAT);
        require(!(sentinel && cluster), "must be one URL, without REDIS_CLUSTER, if it names sentinels");
        var builder = RedisURI.builder();
        for (String node : nodes) {
            addNode(builder, node, sentinel, sentinelPassword);
        }
        if (sentinel) {
            builder.withSentinelMasterId(master);
        }
        String user = decode(part(url, "user"));
        String password = decode(part(url, "password"));
        if (!(user.isEmpty() && password.isEmpty())) {
            builder.withAuthentication(user.isEmpty() ? "default" : user, password);
        }
        String verify = part(url, "verify").toUpperCase(Locale.ROOT);
        require(tls || verify.isEmpty(), FORMAT);
        int database = Integer.parseInt("0" + part(url, "database"));
        require(!cluster || database == 0, "must not have a database, because a cluster has only database 0");
        return builder.withDatabase(database)
                .withSsl(tls)
                .withVerifyPeer(verify.isEmpty() ? SslVerifyMode.FULL : SslVerifyMode.valueOf(verify))
                // Otherwise Lettuce sends CLIENT SETINFO, whose late reply makes it open more and more connections.
                .withLibraryName("")
                .withLibraryVersion("");
    }

    private static void addNode(RedisURI.Builder builder, String node, boolean sentinel, String sentinelPassword) {
        String[] hostAndPort = node.split(":(?=[0-9]+$)", -1);
        String host = hostAndPort[0].replaceAll("[\\[\\]]", "");
        int defaultPort = sentinel ? RedisURI.DEFAULT_SENTINEL_PORT : RedisURI.DEFAULT_REDIS_PORT;
        int port = hostAndPort.length == 1 ? defaultPort : Integer.parseInt(hostAndPort[1]);
        require(port > 0 && port <= 65_535, FORMAT);
        if (sentinel) {
            builder.withSentinel(host, port, sentinelPassword.isEmpty() ? null : sentinelPassword);
        } else {
            builder.withHost(host).withPort(port);
        }
    }

    private static String part(Matcher url, String name) {
        return Objects.requireNonNullElse(url.group(name), "");
    }

    private static String decode(String text) {
        return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
