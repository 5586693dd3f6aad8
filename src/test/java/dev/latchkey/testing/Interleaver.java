package dev.latchkey.testing;

import dev.latchkey.testing.Scheduler.Step;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Starts a Redis, and runs requests against it, one Redis command at a time, in the order of a {@link Scheduler}. Tests
 * use it to find race conditions and to reproduce them.
 *
 * <p>Each request must be sent to its own instance of the service. The instance connects to Redis through a proxy that
 * holds every command until it is that request's turn.
 */
public final class Interleaver implements AutoCloseable {
    private static final int DEADLINE_SECONDS = 60;
    private static final Map<String, String> REDIS_SETTINGS = Map.of(
            // Redis returns the fields of a hash in the order in which they were set. Otherwise, the order in which a
            // revocation deletes several tokens would depend on their random text.
            "hash-max-listpack-value", "4096",
            // Otherwise, each FLUSHALL would write a file.
            "save", "");

    /** The proxy of an instance, and the request that the instance handles. */
    private final class Lane {
        private final FaultProxy proxy;
        private final Queue<Runnable> cleanUps = new ConcurrentLinkedQueue<>();
        private @Nullable RedisCommand next; // guarded by the interleaver
        private volatile CompletableFuture<Fault> decision = CompletableFuture.completedFuture(Fault.NONE);

        Lane(int redisPort) throws IOException {
            proxy = new FaultProxy(redisPort, this::hold);
        }

        // Holds a command until its fault is decided. It already is between two requests, and if the process is gone.
        private Fault hold(RedisCommand command) {
            if (command.name().equals("HELLO")) { // the handshake of a new connection
                return Fault.NONE;
            }
            CompletableFuture<Fault> awaited = decision;
            if (!awaited.isDone()) {
                arrive(this, command);
            }
            return awaited.join();
        }

        /** Lets go of the command that is held. */
        void decide(Fault fault) {
            decide(fault, fault == Fault.GONE ? CompletableFuture.completedFuture(fault) : new CompletableFuture<>());
        }

        /** Lets all commands pass, until the next request starts. */
        void release() {
            decide(Fault.NONE, CompletableFuture.completedFuture(Fault.NONE));
        }

        private void decide(Fault fault, CompletableFuture<Fault> ofNextCommand) {
            CompletableFuture<Fault> awaited = decision;
            decision = ofNextCommand;
            awaited.complete(fault);
        }

        /** Sends a request, whose commands are held from now on. */
        <T> FutureTask<T> start(Callable<T> request) {
            cleanUps.clear();
            decide(Fault.NONE);
            var response = new FutureTask<>(() -> {
                try {
                    return request.call();
                } finally {
                    for (Runnable task = cleanUps.poll(); task != null; task = cleanUps.poll()) {
                        task.run();
                    }
                    arrive(this, null);
                }
            });
            Thread.startVirtualThread(response);
            return response;
        }
    }

    private final EmbeddedRedis redis = EmbeddedRedis.start(REDIS_SETTINGS);
    private final List<Lane> lanes = new ArrayList<>();
    private List<Lane> running = List.of();
    private Scheduler scheduler = Scheduler::first;
    private int underWay; // requests that have neither sent their next command nor ended
    private @Nullable RuntimeException failure; // of the scheduler

    /** @param requests that can run at the same time */
    public Interleaver(int requests) throws IOException {
        for (int i = 0; i < requests; i++) {
            lanes.add(new Lane(redis.port()));
        }
    }

    /** Returns the Redis URL for an instance whose commands are not held. */
    public String redisUrl() {
        return redis.url();
    }

    /**
     * Starts the instance that handles a request, counted from 0. Its clean-ups run after the response, one after the
     * other, as a part of the request. On threads of their own, the order of their commands would be left to chance.
     */
    public TestApp start(int request, String... settings) throws IOException {
        Lane lane = lanes.get(request);
        return TestApp.startOn(new Topology(lane.proxy.url(), redis.url()), lane.cleanUps::add, settings);
    }

    /**
     * Runs requests, and returns their results.
     *
     * @throws TimeoutException if a request hangs
     */
    public <T> List<T> run(Scheduler scheduler, List<Callable<T>> requests) throws Exception {
        synchronized (this) {
            this.scheduler = scheduler;
            running = lanes.subList(0, requests.size());
            underWay = running.size();
            failure = null;
        }
        List<FutureTask<T>> responses = new ArrayList<>();
        for (Callable<T> request : requests) {
            responses.add(lanes.get(responses.size()).start(request));
        }
        List<T> results = new ArrayList<>();
        for (FutureTask<T> response : responses) {
            results.add(response.get(DEADLINE_SECONDS, TimeUnit.SECONDS));
        }
        running.forEach(Lane::release);
        if (failure != null) {
            throw failure;
        }
        return results;
    }

    // Runs in the thread of a request that holds its next command, or has ended. When all do, one of them goes on.
    private synchronized void arrive(Lane lane, @Nullable RedisCommand command) {
        lane.next = command;
        underWay--;
        List<@Nullable RedisCommand> next = new ArrayList<>();
        running.forEach(each -> next.add(each.next));
        if (underWay > 0 || failure != null || Scheduler.unfinished(next).isEmpty()) {
            return;
        }
        try {
            Step step = scheduler.choose(next);
            underWay++;
            running.get(step.request()).decide(step.fault());
        } catch (RuntimeException e) {
            failure = e;
            running.forEach(Lane::release);
        }
    }

    @Override
    public void close() throws IOException {
        for (Lane lane : lanes) {
            lane.proxy.close();
        }
        redis.close();
    }
}
