package dev.latchkey.redis;

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

/** Says that Redis fails, once for each reason, and when it works again; nothing for each command. */
final class Outage {
    private static final System.Logger LOG = System.getLogger("latchkey.redis");
    private static final String LOST = "the connection is lost";
    private static final String CLOSED = "it closes connections: check the scheme of REDIS_URL, it may want TLS";

    private final Set<String> reasons = ConcurrentHashMap.newKeySet();
    private final LongAdder failures = new LongAdder();
    private final long calmNanos;
    private volatile boolean failing;
    private volatile boolean worked;
    private volatile long lastFailure;

    /** @param calm without a failure: then it is over */
    Outage(Duration calm) {
        calmNanos = calm.toNanos();
    }

    /** A command failed. */
    void failed(Throwable e) {
        failures.increment();
        unreachable(e);
    }

    /** It was tried to connect. */
    void unreachable(Throwable e) {
        lastFailure = System.nanoTime();
        failing = true;
        String reason = reason(e);
        if (worked && reason.equals(CLOSED)) {
            reason = LOST;
        }
        boolean more = !reason.equals(LOST) || reasons.isEmpty(); // what is lost was lost for a reason
        if (more && reasons.add(reason)) {
            LOG.log(System.Logger.Level.WARNING, "Redis fails", "reason", reason);
        }
    }

    /** A command succeeded. */
    void succeeded() {
        if (!worked) {
            worked = true;
        }
        if (failing && System.nanoTime() - lastFailure > calmNanos) {
            recovered();
        }
    }

    private synchronized void recovered() {
        if (failing) {
            failing = false;
            reasons.clear();
            LOG.log(System.Logger.Level.INFO, "Redis works again", "failedCommands", failures.sumThenReset());
        }
    }

    /** What is wrong and what to check. Nothing of what Redis said but its error code: it repeats what it was sent. */
    static String reason(Throwable e) {
        List<Throwable> causes =
                Stream.iterate(e, cause -> cause != null, Throwable::getCause).toList();
        String said = causes.stream().map(Throwable::toString).toList().toString();
        if (said.contains("WRONGPASS") || said.contains("NOAUTH") || said.contains("AUTH failed")) {
            return "it refuses the user or the password: check those in REDIS_URL";
        } else if (said.contains("cluster support disabled")) {
            return "it is no cluster: check REDIS_URL and REDIS_CLUSTER";
        } else if (said.contains("MOVED ")) {
            return "it is a cluster: set REDIS_CLUSTER=true";
        } else if (said.contains("PKIX") || said.contains("CertificateException")) {
            return "its certificate is not trusted, or for another host";
        } else if (has(causes, SSLException.class)) {
            return "TLS failed: check the scheme of REDIS_URL, and its certificate";
        } else if (said.contains("Connection reset") || said.contains("closed prematurely")) {
            return CLOSED;
        } else if (has(causes, UnknownHostException.class)) {
            return "there is no such host: check REDIS_URL";
        } else if (has(causes, ConnectException.class)) {
            return "nobody listens there: start it, or check REDIS_URL";
        } else if (has(causes, RedisConnectionException.class) && has(causes, RedisCommandTimeoutException.class)) {
            return "it takes the connection and says nothing: it hangs, or check the scheme of REDIS_URL";
        } else if (has(causes, RedisCommandTimeoutException.class) || said.contains("timed out")) {
            return "no answer within REDIS_TIMEOUT_MS";
        } else if (causes.getLast() instanceof RedisCommandExecutionException refused) {
            return "it refuses commands: "
                    + String.valueOf(refused.getMessage()).split(" ", 2)[0];
        }
        return LOST;
    }

    private static boolean has(List<Throwable> causes, Class<? extends Throwable> type) {
        return causes.stream().anyMatch(type::isInstance);
    }
}
