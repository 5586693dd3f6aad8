package dev.latchkey.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.utility.DockerImageName;

/** The Redis of the tests: {@code TEST_REDIS_URL}, else one that Testcontainers starts, else an embedded one. */
public final class TestRedis {
    // Testcontainers alone tries to pull an image for two minutes
    private static final int CONTAINER_SECONDS = 15;
    private static final String IMAGE = "redis:8-alpine";
    private static @Nullable String url;

    private TestRedis() {}

    // not a constant: a static initializer that waits for another thread, which needs this class, waits for ever
    public static synchronized String url() {
        if (url == null) {
            url = choose();
        }
        return url;
    }

    private static String choose() {
        String given = System.getenv("TEST_REDIS_URL");
        if (given != null && !given.isBlank()) {
            return announce("TEST_REDIS_URL", given);
        }
        // a thread of its own: of the common pool's, which may be the only one, a failing pull would take two minutes
        var container = CompletableFuture.supplyAsync(
                TestRedis::startContainer, task -> Thread.ofPlatform().daemon().start(task));
        try {
            GenericContainer<?> redis = container.get(CONTAINER_SECONDS, TimeUnit.SECONDS);
            return announce(
                    "Testcontainers, " + IMAGE, "redis://" + redis.getHost() + ":" + redis.getFirstMappedPort());
        } catch (ExecutionException | TimeoutException e) {
            var _ = container.thenAccept(GenericContainer::stop); // should it come up after all
            String why = e instanceof TimeoutException
                    ? "no " + IMAGE + " within " + CONTAINER_SECONDS + " s"
                    : "no Docker, or no " + IMAGE;
            return embedded(why);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @SuppressWarnings("resource") // lives as long as the tests; Testcontainers and the process's end see to the rest
    private static GenericContainer<?> startContainer() {
        if (!DockerClientFactory.instance().isDockerAvailable()) {
            throw new IllegalStateException("no Docker");
        }
        var redis = new GenericContainer<>(DockerImageName.parse(IMAGE)).withExposedPorts(6379);
        Runtime.getRuntime().addShutdownHook(new Thread(redis::stop)); // where its reaper is switched off
        redis.start();
        return redis;
    }

    private static String embedded(String why) {
        try {
            return announce(
                    "embedded redis-server 7.0.15 (" + why + ")",
                    EmbeddedRedis.start().url());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String announce(String kind, String url) {
        System.out.println("Redis of the tests: " + kind);
        return url;
    }
}
