package dev.latchkey.testing;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** What befalls a Redis under load, and what the clients of the service notice of it. {@code scripts/chaos} prints it. */
public final class Chaos {
    public static final int TIMEOUT_MILLIS = 1000;

    private static final int CLIENTS = 16;
    private static final int WARM_REQUESTS = 50; // of each client
    private static final Map<String, String> DURABLE = Map.of("appendonly", "yes", "appendfsync", "always");

    private Chaos() {}

    public enum Fault {
        KILL("kill -9, then a restart"),
        STOP("SIGSTOP, then SIGCONT"),
        PAUSE("CLIENT PAUSE"),
        BLACK_HOLE("connections that swallow all"),
        MAXMEMORY("maxmemory reached, noeviction"),
        READONLY("made a replica: READONLY"),
        SCRIPT_FLUSH("SCRIPT FLUSH ten times a second"),
        SENTINEL("master killed, Sentinel fails over"),
        CLUSTER("master killed, Cluster fails over");

        final String label;

        Fault(String label) {
            this.label = label;
        }
    }

    @FunctionalInterface
    private interface Strike {
        void apply() throws Exception;
    }

    /**
     * All from when the fault began.
     *
     * @param recoveryMillis from when Redis was back to the end of the last 503
     * @param lost acknowledged, and not there afterwards
     * @param faults what must not be
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
     * Starts a service and a Redis of their own.
     *
     * @param seconds that the fault lasts; a failover takes its own time
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
                    yield run(url, false, () -> strike(fault, redis, proxy, commands, seconds * 1000));
                }
            }
        };
    }

    private static void strike(
            Fault fault, EmbeddedRedis redis, StallingProxy proxy, RedisCommands<String, String> commands, int millis)
            throws IOException {
        switch (fault) {
            case KILL -> redis.kill();
            case STOP -> redis.signal("STOP");
            case PAUSE -> commands.clientPause(millis);
            case BLACK_HOLE -> proxy.swallow();
            case MAXMEMORY -> commands.configSet("maxmemory", "1");
            case READONLY -> commands.replicaof("127.0.0.1", 1); // no master answers there: it keeps what it has
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

    private static Result run(String redisUrl, boolean mayLose, Strike strike) throws Exception {
        // hashes as cheap as the tests': with real ones this would measure how long passwords wait for each other
        try (var service = TestApp.startOn(
                redisUrl,
                "REDIS_TIMEOUT_MS",
                Integer.toString(TIMEOUT_MILLIS),
                "TRUSTED_PROXY_HOPS",
                "1",
                "LOGIN_THROTTLE",
                "true")) {
            var load = new Load(service, CLIENTS, mayLose);
            load.start();
            load.await(WARM_REQUESTS);
            int before = load.lost().size() + load.faults().size();
            long struck = System.nanoTime();
            strike.apply();
            long back = System.nanoTime();
            load.await(WARM_REQUESTS);
            load.stop();
            if (before > 0) {
                load.faults().add("not all was well before it");
            }
            List<Load.Request> requests = load.requests().stream()
                    .filter(request -> request.end() > struck)
                    .toList();
            var longest = requests.stream()
                    .max((a, b) -> Long.compare(a.millis(), b.millis()))
                    .orElseThrow();
            List<Load.Request> refused =
                    requests.stream().filter(request -> request.status() == 503).toList();
            long recovered = refused.stream()
                    .mapToLong(Load.Request::end)
                    .map(end -> end - back)
                    .max()
                    .orElse(0);
            return new Result(
                    requests.size(),
                    refused.size(),
                    longest.millis(),
                    longest.what(),
                    Math.max(0, TimeUnit.NANOSECONDS.toMillis(recovered)),
                    List.copyOf(load.lost()),
                    List.copyOf(load.faults()));
        }
    }

    /** @param arguments how many seconds a fault lasts (5); then the names of the faults (all) */
    public static void main(String[] arguments) throws Exception {
        int seconds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
        List<String> names = List.of(arguments).subList(Math.min(1, arguments.length), arguments.length);
        System.out.printf("%d clients, REDIS_TIMEOUT_MS=%d, faults of %d s%n", CLIENTS, TIMEOUT_MILLIS, seconds);
        System.out.printf(
                "%-36s%10s%8s%12s%13s%6s%17s%n",
                "fault", "requests", "503", "longest ms", "recovery ms", "lost", "faults  longest");
        boolean good = true;
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
                result.lost.forEach(what -> System.out.println("  lost: " + what));
                result.faults.forEach(what -> System.out.println("  fault: " + what));
                good &= result.faults.isEmpty();
            }
        }
        System.exit(good ? 0 : 1);
    }
}
