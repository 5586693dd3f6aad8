package dev.latchkey.redis;

import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.RedisConnectionException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;

/** Logs once per reason that Redis is unavailable, and once that it is available again, instead of once per command. */
final class OutageLog {
    private static final System.Logger LOG = System.getLogger("latchkey.redis");
    private static final String LOST = "the connection was lost";
    private static final String CLOSED =
            "Redis closes new connections: check the scheme of REDIS_URL, Redis may require TLS";

    private final Set<String> reasons = ConcurrentHashMap.newKeySet();
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
        boolean addsInformation = !reason.equals(LOST) || reasons.isEmpty();
        if (addsInformation && reasons.add(reason)) {
            LOG.log(WARNING, "Redis is unavailable", "reason", reason);
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

    /**
     * Returns the reason and what to check. Of Redis's reply it has only the error code, because Redis quotes its
     * input.
     */
    static String reason(Throwable e) {
        List<Throwable> causes =
                Stream.iterate(e, cause -> cause != null, Throwable::getCause).toList();
        String text = causes.stream().map(Throwable::toString).toList().toString();
        if (text.contains("WRONGPASS") || text.contains("NOAUTH") || text.contains("AUTH failed")) {
            return "Redis rejects the user or the password: check those in REDIS_URL";
        } else if (text.contains("cluster support disabled")) {
            return "Redis is not a cluster: check REDIS_URL and REDIS_CLUSTER";
        } else if (text.contains("MOVED ")) {
            return "Redis is a cluster: set REDIS_CLUSTER=true";
        } else if (text.contains("PKIX") || text.contains("CertificateException")) {
            return "the certificate of Redis is not trusted, or is for another host";
        } else if (has(causes, SSLException.class)) {
            return "TLS failed: check the scheme of REDIS_URL and the certificate of Redis";
        } else if (text.contains("Connection reset") || text.contains("closed prematurely")) {
            return CLOSED;
        } else if (has(causes, UnknownHostException.class)) {
            return "the host name cannot be resolved: check REDIS_URL";
        } else if (has(causes, ConnectException.class)) {
            return "nothing listens at that address: start Redis, or check REDIS_URL";
        } else if (has(causes, RedisConnectionException.class) && has(causes, RedisCommandTimeoutException.class)) {
            return "Redis accepts the connection but does not reply: it hangs, or the scheme of REDIS_URL is wrong";
        } else if (has(causes, RedisCommandTimeoutException.class) || text.contains("timed out")) {
            return "no reply within REDIS_TIMEOUT_MS";
        } else if (causes.getLast() instanceof RedisCommandExecutionException error) {
            return "Redis rejects commands: "
                    + String.valueOf(error.getMessage()).split(" ", 2)[0];
        }
        return LOST;
    }

    private static boolean has(List<Throwable> causes, Class<? extends Throwable> type) {
        return causes.stream().anyMatch(type::isInstance);
    }
}
