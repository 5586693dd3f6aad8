package dev.latchkey.redis;

import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Logs once per reason that Redis is unavailable, and once that it is available again, instead of once per command. */
final class OutageLog {
    private static final System.Logger LOG = System.getLogger("latchkey.redis");
    private static final String LOST = "the connection was lost";
    private static final String NOT_YET = "there is no connection yet: DNS, the network or Redis is slow";
    private static final String CLOSED =
            "Redis closes new connections: check the scheme of REDIS_URL, Redis may require TLS";
    private static final String ADDRESS = ".*: [^ /]*/?([0-9a-fA-F.:\\[\\]]+)";
    private static final String CHECK_ADDRESS = "check REDIS_URL, and what a cluster or sentinel announces";

    /** A pattern in the exceptions of Lettuce and netty, and the reason that it means. */
    private record Rule(Pattern pattern, String reason) {
        static Rule of(String pattern, String reason) {
            return new Rule(Pattern.compile(pattern), reason);
        }
    }

    // The first rule that applies decides. Redis quotes its input in some errors, so a reason takes only a command, an
    // address or an error code from it.
    private static final List<Rule> RULES = List.of(
            Rule.of("Redis Sentinel(?s:.*)(WRONGPASS|NOAUTH)", "a sentinel rejects REDIS_SENTINEL_PASSWORD"),
            Rule.of("WRONGPASS|NOAUTH", "Redis rejects the user or the password: check those in REDIS_URL"),
            Rule.of("using sentinel for masterId", "the sentinels know no such master: check #master in REDIS_URL"),
            Rule.of("NOPERM.* '([a-z|-]+)' command", "the user of Redis may not run $1"),
            Rule.of("NOPERM.* key", "the user of Redis may not access all keys that Latchkey uses"),
            Rule.of(
                    "user executing the script|ACL failure in script",
                    "the user of Redis may not run all commands that scripts use"),
            Rule.of("cluster support disabled", "Redis is not a cluster: check REDIS_URL and REDIS_CLUSTER"),
            Rule.of("MOVED ", "Redis is a cluster: set REDIS_CLUSTER=true"),
            Rule.of("partition for slot|CLUSTERDOWN", "the cluster does not serve all slots"),
            Rule.of("CertificateExpired", "the certificate of Redis has expired"),
            Rule.of("CertificateNotYetValid", "the certificate of Redis is not valid yet"),
            Rule.of(
                    "No subject alternative|No name matching",
                    "the certificate of Redis is for another host name or address"),
            Rule.of("PKIX|trustAnchors", "the certificate of Redis is not trusted: check the trust store"),
            Rule.of(
                    "certificate_required|bad_certificate",
                    "Redis does not accept the client certificate, or there is none"),
            Rule.of("SSL\\w*Exception", "TLS failed: check the scheme of REDIS_URL and the certificate of Redis"),
            Rule.of("RedisProtocolException", "what replies is not Redis: " + CHECK_ADDRESS),
            Rule.of(
                    "UnknownHostException",
                    "DNS has no address for the host name, or does not reply: " + CHECK_ADDRESS),
            Rule.of("Connection refused" + ADDRESS, "nothing listens at $1: start Redis, or " + CHECK_ADDRESS),
            Rule.of("connection timed out" + ADDRESS, "$1 cannot be reached within REDIS_TIMEOUT_MS: " + CHECK_ADDRESS),
            Rule.of("(?:No route to host|unreachable)" + ADDRESS, "$1 cannot be reached: " + CHECK_ADDRESS),
            Rule.of(
                    "RedisConnectionException(?s:.*)RedisCommandTimeoutException",
                    "Redis accepts the connection but does not reply: it hangs, or the scheme of REDIS_URL is wrong"),
            Rule.of("RedisCommandTimeoutException|timed out", "no reply within REDIS_TIMEOUT_MS"),
            Rule.of("RedisCommandExecutionException: ([A-Z]+)", "Redis rejects commands: $1"),
            Rule.of("Connection reset|closed prematurely", CLOSED),
            Rule.of("not connected yet", NOT_YET),
            Rule.of("[Nn]ot connected|[Dd]isconnected|[Cc]losed|Broken pipe", LOST));

    private static final int MAX_WRONG_TYPES = 100;

    private final Set<String> reasons = ConcurrentHashMap.newKeySet();
    private final Set<String> wrongTypes = ConcurrentHashMap.newKeySet();
    private final LongAdder failures = new LongAdder();
    private final long quietNanos;
    private volatile boolean unavailable;
    private volatile boolean everAvailable;
    private volatile long lastFailureNanos;

    /** @param quietPeriod without a failure, after which Redis counts as available again */
    OutageLog(Duration quietPeriod) {
        quietNanos = quietPeriod.toNanos();
    }

    void commandFailed(Throwable e) {
        failures.increment();
        connectFailed(e);
    }

    void connectFailed(Throwable e) {
        lastFailureNanos = System.nanoTime();
        unavailable = true;
        String reason = reason(e);
        if (everAvailable && reason.equals(CLOSED)) {
            reason = LOST;
        }
        boolean addsInformation = !List.of(LOST, NOT_YET).contains(reason) || reasons.isEmpty();
        if (addsInformation && reasons.add(reason)) {
            LOG.log(WARNING, "Redis is unavailable", "reason", reason);
        }
    }

    /** Logs a key that no request can use until an operator has removed it. */
    void wrongType(String key) {
        // The rest of the key of a token is a secret.
        String name = key.startsWith("tokens:") ? "tokens:" : key;
        if (wrongTypes.size() < MAX_WRONG_TYPES && wrongTypes.add(name)) {
            LOG.log(ERROR, "a key holds a value of the wrong type: delete or rename it", "key", name);
        }
    }

    void commandSucceeded() {
        if (!everAvailable) {
            everAvailable = true;
        }
        if (unavailable && System.nanoTime() - lastFailureNanos > quietNanos) {
            recovered();
        }
    }

    private synchronized void recovered() {
        if (unavailable) {
            unavailable = false;
            reasons.clear();
            LOG.log(INFO, "Redis is available again", "failedCommands", failures.sumThenReset());
        }
    }

    /** Returns the reason and what to check. */
    static String reason(Throwable e) {
        String text = causes(e)
                .flatMap(cause -> Stream.concat(
                        Stream.of(cause), Arrays.stream(cause.getSuppressed()).flatMap(OutageLog::causes)))
                .map(Throwable::toString)
                .collect(Collectors.joining("\n"));
        for (Rule rule : RULES) {
            Matcher found = rule.pattern().matcher(text);
            if (found.find()) {
                return rule.reason().replace("$1", found.groupCount() == 0 ? "" : found.group(1));
            }
        }
        return "unexpected " + e.getClass().getSimpleName();
    }

    private static Stream<Throwable> causes(Throwable e) {
        return Stream.iterate(e, cause -> cause != null, Throwable::getCause);
    }
}
