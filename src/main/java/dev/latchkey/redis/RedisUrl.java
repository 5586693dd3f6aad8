package dev.latchkey.redis;

import io.lettuce.core.RedisURI;
import io.lettuce.core.SslVerifyMode;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
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
    private static final Pattern URL = Pattern.compile("redis(?<tls>s?)(?<sentinel>-sentinel)?://"
            + ("(?:(?:(?<user>" + USER_INFO + "*):)?(?<password>(?:" + USER_INFO + "|:)*)@)?(?<nodes>[^/?#@]+)")
            + "(?:/(?<database>[^/?#]*))?(?:\\?(?<parameters>[^?#]*))?(?:#(?<master>[A-Za-z0-9._-]+))?");
    // Host names in Docker Compose may have underscores, which java.net.URI does not accept.
    private static final Pattern NODE =
            Pattern.compile("(?<host>[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+])(?::(?<port>[^:]*))?");
    private static final String FORMAT = "must be redis://[user:password@]host[:port][/database], several such URLs"
            + " separated by commas, or redis-sentinel://[user:password@]host[:port][,host[:port]]#master; special"
            + " characters in user and password must be percent-encoded, and an IPv6 address needs brackets";
    private static final Pattern VERIFY_PEER = Pattern.compile("verifyPeer=(?i)(full|ca|none)");
    private static final String PARAMETERS =
            "must have no parameter except database, and, with rediss, verifyPeer=full,"
                    + " verifyPeer=ca or verifyPeer=none";

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
        require(!text.matches("(?s)[\"'].*|.*[\"']"), "must not have quotes around it");
        String[] urls = text.split("\\s*,\\s*(?=rediss?(?:-sentinel)?://)", -1); // a password may contain a comma
        require(
                Arrays.stream(urls).allMatch(url -> url.matches("(?s)rediss?(-sentinel)?://.*")),
                "must start with redis://, rediss://, redis-sentinel:// or rediss-sentinel://");
        require(
                Arrays.stream(urls).map(url -> url.split(":", 2)[0]).distinct().count() == 1,
                "must have the same scheme in all URLs");
        return Arrays.stream(urls)
                .map(url -> builder(url, cluster || urls.length > 1, sentinelPassword)
                        .withTimeout(connectTimeout)
                        .build())
                .toList();
    }

    private static RedisURI.Builder builder(String url, boolean cluster, String sentinelPassword) {
        Matcher parts = URL.matcher(url);
        require(parts.matches(), FORMAT);
        boolean sentinel = parts.group("sentinel") != null;
        require(!(sentinel && cluster), "must be one URL, without REDIS_CLUSTER, if it names sentinels");
        require(sentinel == (parts.group("master") != null), "must have #master after sentinels, and only there");
        var builder = RedisURI.builder();
        if (sentinel) {
            addSentinels(builder, parts.group("nodes"), sentinelPassword);
            builder.withSentinelMasterId(parts.group("master"));
        } else {
            require(
                    !parts.group("nodes").contains(","),
                    "must repeat redis:// or rediss:// before each node of a cluster");
            Matcher node = node(parts.group("nodes"));
            builder.withHost(host(node))
                    .withPort(number(node.group("port"), RedisURI.DEFAULT_REDIS_PORT, 1, 65_535, "a port"));
        }
        addCredentials(builder, parts.group("user"), parts.group("password"));
        boolean tls = !parts.group("tls").isEmpty();
        int database = addParameters(builder, parts.group("parameters"), parts.group("database"), tls);
        require(!cluster || database == 0, "must not have a database, because a cluster has only database 0");
        return builder.withDatabase(database)
                .withSsl(tls)
                // Otherwise Lettuce sends CLIENT SETINFO, whose late reply makes it open more and more connections.
                .withLibraryName("")
                .withLibraryVersion("");
    }

    private static void addSentinels(RedisURI.Builder builder, String nodes, String password) {
        for (String text : nodes.split(",", -1)) {
            Matcher node = node(text);
            int port = number(node.group("port"), RedisURI.DEFAULT_SENTINEL_PORT, 1, 65_535, "ports");
            builder.withSentinel(host(node), port, password.isEmpty() ? null : password);
        }
    }

    private static Matcher node(String text) {
        Matcher node = NODE.matcher(text);
        require(node.matches(), FORMAT);
        return node;
    }

    private static String host(Matcher node) {
        return node.group("host").replaceAll("[\\[\\]]", "");
    }

    private static void addCredentials(RedisURI.Builder builder, @Nullable String user, @Nullable String password) {
        if (password == null) {
            return;
        }
        if (user == null || user.isEmpty()) {
            builder.withPassword(decode(password).toCharArray());
        } else {
            builder.withAuthentication(decode(user), decode(password));
        }
    }

    /** Returns the database, which is a parameter or the URL's path. */
    private static int addParameters(
            RedisURI.Builder builder, @Nullable String parameters, @Nullable String path, boolean tls) {
        String database = path;
        for (String parameter : parameters == null ? new String[0] : parameters.split("&")) {
            Matcher mode = VERIFY_PEER.matcher(parameter);
            if (tls && mode.matches()) {
                builder.withVerifyPeer(SslVerifyMode.valueOf(mode.group(1).toUpperCase(Locale.ROOT)));
            } else {
                require(parameter.startsWith("database=") && database == null, PARAMETERS);
                database = parameter.substring("database=".length());
            }
        }
        return number(database, 0, 0, 9999, "a database");
    }

    private static int number(@Nullable String text, int defaultValue, int min, int max, String what) {
        if (text == null || (text.isEmpty() && min == 0)) {
            return defaultValue;
        }
        String message = "must have " + what + " from " + min + " to " + max;
        require(text.matches("[0-9]{1,5}"), message);
        int number = Integer.parseInt(text);
        require(number >= min && number <= max, message);
        return number;
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
