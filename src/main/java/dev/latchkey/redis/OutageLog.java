package dev.latchkey.redis;

import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Logs once per reason that Redis is unavailable, and once that it is available again, instead of once per command. */
final class OutageLog {
    private static final System.Logger LOG = System.getLogger("latchkey.redis");
    private static final String NO_CONNECTION =
            "there is no connection: Redis was restarted, is slow to accept one, or requires TLS (rediss://)";
    private static final String CHECK_ADDRESS = "check REDIS_URL, and what a cluster or sentinel announces";

    /** A pattern in the exceptions of Lettuce and netty, and what it means to an operator. */
    private record Rule(Pattern pattern, String reason) {
        Rule(String pattern, String reason) {
            this(Pattern.compile(pattern), reason);
        }
    }

    // One rule for each thing that an operator does differently. The first one that applies decides. Redis quotes its
    // input in some errors, so a reason takes only an error code from them.
    private static final List<Rule> RULES = List.of(
            new Rule("Redis Sentinel(?s:.*)(WRONGPASS|NOAUTH)", "a sentinel rejects REDIS_SENTINEL_PASSWORD"),
            new Rule(
                    "WRONGPASS|NOAUTH",
                    "Redis rejects the user or the password: check those in REDIS_URL or in the file of REDIS_URL_FILE"),
            new Rule("using sentinel for masterId", "the sentinels know no such master: check #master in REDIS_URL"),
            new Rule("NOPERM|executing the script|ACL failure", "the user of Redis lacks a permission: see ACL LOG"),
            new Rule("cluster support disabled", "Redis is not a cluster: check REDIS_URL and REDIS_CLUSTER"),
            new Rule("MOVED ", "Redis is a cluster: set REDIS_CLUSTER=true"),
            new Rule("partition for slot|CLUSTERDOWN", "the cluster does not serve all slots"),
            // The last cause tells most.
            new Rule("(?s)SSL\\w*Exception(?:.*\n|: )([^\n]*)$", "TLS failed, check the certificates: $1"),
            new Rule("RedisProtocolException", "what replies is not Redis: " + CHECK_ADDRESS),
            new Rule("UnknownHostException", "the host name has no address: " + CHECK_ADDRESS),
            new Rule(
                    "((?:Connection refused|connection timed out|No route to host|Network is unreachable).*)",
                    "$1: start Redis, or " + CHECK_ADDRESS),
            new Rule(
                    "RedisCommandTimeoutException|timed out",
                    "no reply within REDIS_TIMEOUT_MS: Redis or the network is slow, or REDIS_URL has the wrong scheme"),
            new Rule("RedisCommandExecutionException: ([A-Z]+)", "Redis rejects commands: $1"),
            new Rule("[Nn]ot connected|[Dd]isconnected|[Cc]losed|Connection reset|Broken pipe", NO_CONNECTION));

    private static final int MAX_WRONG_TYPES = 100;

    private final Set<String> reasons = ConcurrentHashMap.newKeySet();
    private final Set<String> wrongTypes = ConcurrentHashMap.newKeySet();
    private final LongAdder failures = new LongAdder();
    private final long quietNanos;
    private volatile boolean unavailable;
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
        boolean addsInformation = !reason.equals(NO_CONNECTION) || reasons.isEmpty();
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
        var text = new StringBuilder();
        addCauses(e, text);
        for (Rule rule : RULES) {
            Matcher found = rule.pattern().matcher(text);
            if (found.find()) {
                return rule.reason().replace("$1", found.groupCount() == 0 ? "" : found.group(1));
            }
        }
        return "unexpected " + e.getClass().getSimpleName();
    }

    private static void addCauses(Throwable e, StringBuilder text) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            text.append('\n').append(cause);
            for (Throwable suppressed : cause.getSuppressed()) {
                addCauses(suppressed, text);
            }
        }
    }
}
