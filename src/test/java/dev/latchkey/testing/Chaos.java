package dev.latchkey.testing;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.IOException;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Injects faults into a Redis under load, and measures what the clients of the service notice. Run by {@code
 * scripts/chaos}, which prints the results as a table, and by {@code ChaosTest}.
 */
public final class Chaos {
    public static final int TIMEOUT_MILLIS = 1000;

    private static final int CLIENTS = 16;
    private static final int MIN_SUCCESSES = 50; // per client, before the fault and again after it
    private static final Map<String, String> DURABLE = Map.of("appendonly", "yes", "appendfsync", "always");

    private Chaos() {}

    /** The faults that can be injected. */
    public enum Fault {
        KILL("kill -9, then a restart"),
        STOP("SIGSTOP, then SIGCONT"),
        PAUSE("CLIENT PAUSE"),
        BLACK_HOLE("connections stall, none is closed"),
        MAXMEMORY("maxmemory reached, noeviction"),
        READONLY("made a replica: READONLY"),
        SCRIPT_FLUSH("SCRIPT FLUSH 10 times per second"),
        SENTINEL("master killed, Sentinel fails over"),
        CLUSTER("master killed, Cluster fails over");

        final String label;

        Fault(String label) {
            this.label = label;
        }
    }

    @FunctionalInterface
    private interface Injection {
        void apply() throws Exception;
    }

    /**
     * What clients noticed since the fault was injected.
     *
     * @param refused number of requests that got a 503
     * @param longestMillis duration of the slowest request
     * @param longest the slowest request
     * @param recoveryMillis from the moment when Redis worked again to the last 503
     * @param lost changes that the service acknowledged and Redis then lost
     * @param faults violations of what the service guarantees, which must not occur
     */
    public record Result(
            int requests,
            int refused,
            long longestMillis,
            String longest,
            long recoveryMillis,
            List<String> lost,
            List<String> faults) {}

    /**
     * Starts a separate service and Redis, injects the fault under load, and returns what the clients noticed.
     *
     * @param seconds duration of the fault; a failover takes as long as Redis needs
     */
    public static Result run(Fault fault, int seconds) throws Exception {
        return switch (fault) {
            case SENTINEL -> {
                try (var redis = RedisSentinels.start()) {
                    yield run(redis.url(), true, redis::failOver);
                }
            }
            case CLUSTER -> {
                try (var redis = RedisCluster.start()) {
                    yield run(redis.url(), true, redis::failOver);
                }
            }
            default -> {
                try (var redis = EmbeddedRedis.start(DURABLE);
                        var proxy = new StallingProxy(redis.port());
                        var client = RedisClient.create(RedisURI.create(redis.url()))) {
                    var commands = client.connect().sync();
                    String url = fault == Fault.BLACK_HOLE ? proxy.url() : redis.url();
                    yield run(url, false, () -> inject(fault, redis, proxy, commands, seconds * 1000));
                }
            }
        };
    }

    /** Injects the fault, waits, and repairs Redis. */
    private static void inject(
            Fault fault, EmbeddedRedis redis, StallingProxy proxy, RedisCommands<String, String> commands, int millis)
            throws IOException {
        switch (fault) {
            case KILL -> redis.kill();
            case STOP -> redis.signal("STOP");
            case PAUSE -> commands.clientPause(millis);
            case BLACK_HOLE -> proxy.swallow();
            case MAXMEMORY -> commands.configSet("maxmemory", "1");
            case READONLY -> commands.replicaof("127.0.0.1", 1); // nothing listens there, so Redis keeps its data
            default -> {}
        }
        for (int i = 0; i < millis; i += 100) {
            if (fault == Fault.SCRIPT_FLUSH) {
                commands.scriptFlush();
            }
            Load.pause(100);
        }
        switch (fault) {
            case KILL -> redis.restart();
            case STOP -> redis.signal("CONT");
            case BLACK_HOLE -> proxy.forwardNew();
            case MAXMEMORY -> commands.configSet("maxmemory", "0");
            case READONLY -> commands.replicaofNoOne();
            default -> {}
        }
    }

    private static Result run(String redisUrl, boolean mayLoseWrites, Injection injection) throws Exception {
        // The hashes are as cheap as those of the tests. With real hashes, the result would mainly show how long
        // logins wait for a hashing thread.
        String[] settings = {
            "REDIS_TIMEOUT_MS", Integer.toString(TIMEOUT_MILLIS),
            "TRUSTED_PROXY_HOPS", "1",
            "LOGIN_THROTTLE", "true",
        };
        try (var service = TestApp.startOn(redisUrl, settings)) {
            var load = new Load(service, CLIENTS, mayLoseWrites);
            load.start();
            load.await(MIN_SUCCESSES);
            int earlierErrors = load.lost().size() + load.faults().size();
            long injectedNanos = System.nanoTime();
            injection.apply();
            long repairedNanos = System.nanoTime();
            load.await(MIN_SUCCESSES);
            load.stop();
            if (earlierErrors > 0) {
                load.faults().add("the service already failed before the fault was injected");
            }
            List<Load.Request> requests = load.requests().stream()
                    .filter(request -> request.end() > injectedNanos)
                    .toList();
            Load.Request longest = Collections.max(requests, Comparator.comparingLong(Load.Request::millis));
            int refused = 0;
            long recoveryNanos = 0;
            for (Load.Request request : requests) {
                if (request.status() == 503) {
                    refused++;
                    recoveryNanos = Math.max(recoveryNanos, request.end() - repairedNanos);
                }
            }
            return new Result(
                    requests.size(),
                    refused,
                    longest.millis(),
                    longest.what(),
                    TimeUnit.NANOSECONDS.toMillis(recoveryNanos),
                    List.copyOf(load.lost()),
                    List.copyOf(load.faults()));
        }
    }

    /**
     * Prints one line per fault, and exits with status 1 if the service violated a guarantee.
     *
     * @param arguments the duration of each fault in seconds (default 5), then names of faults (default all)
     */
    public static void main(String[] arguments) throws Exception {
        int seconds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
        List<String> names = List.of(arguments).subList(Math.min(1, arguments.length), arguments.length);
        System.out.printf("%d clients, REDIS_TIMEOUT_MS=%d, each fault lasts %d s%n", CLIENTS, TIMEOUT_MILLIS, seconds);
        System.out.printf(
                "%-36s%10s%8s%12s%13s%6s%17s%n",
                "fault", "requests", "503", "longest ms", "recovery ms", "lost", "errors  longest");
        boolean passed = true;
        for (Fault fault : Fault.values()) {
            if (names.isEmpty() || names.contains(fault.name())) {
                Result result = run(fault, seconds);
                System.out.printf(
                        "%-36s%10d%8d%12d%13d%6d%8d  %s%n",
                        fault.label,
                        result.requests,
                        result.refused,
                        result.longestMillis,
                        result.recoveryMillis,
                        result.lost.size(),
                        result.faults.size(),
                        result.longest);
                result.lost.forEach(write -> System.out.println("  lost: " + write));
                result.faults.forEach(error -> System.out.println("  error: " + error));
                passed &= result.faults.isEmpty();
            }
        }
        System.exit(passed ? 0 : 1);
    }
}
