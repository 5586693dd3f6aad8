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

/**
 * Provides the Redis that most tests share: the one at {@code TEST_REDIS_URL} if that variable is set, otherwise a
 * container that Testcontainers starts, otherwise an embedded Redis.
 */
public final class TestRedis {
    // Testcontainers would try to pull an image for two minutes.
    private static final int CONTAINER_SECONDS = 15;
    private static final String IMAGE = "redis:8-alpine";
    // Not set by a static initializer, which would wait for a thread that needs this class, and so never finish.
    private static @Nullable String url;

    private TestRedis() {}

    /** Returns the URL. The first call starts Redis if necessary. */
    public static synchronized String url() {
        if (url == null) {
            url = choose();
        }
        return url;
    }

    private static String choose() {
        String configured = System.getenv("TEST_REDIS_URL");
        if (configured != null && !configured.isBlank()) {
            return announce("TEST_REDIS_URL", configured);
        }
        // This needs its own thread. The common pool may have only one thread, which a failing pull would block for
        // two minutes.
        var container = CompletableFuture.supplyAsync(
                TestRedis::startContainer, task -> Thread.ofPlatform().daemon().start(task));
        try {
            GenericContainer<?> redis = container.get(CONTAINER_SECONDS, TimeUnit.SECONDS);
            return announce(
                    "Testcontainers, " + IMAGE, "redis://" + redis.getHost() + ":" + redis.getFirstMappedPort());
        } catch (ExecutionException | TimeoutException e) {
            var _ = container.thenAccept(GenericContainer::stop); // in case it still starts
            String reason = e instanceof TimeoutException
                    ? IMAGE + " did not start within " + CONTAINER_SECONDS + " s"
                    : "Docker or the image " + IMAGE + " is not available";
            return embedded(reason);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Starts a container. When the tests end, the reaper of Testcontainers or a shutdown hook stops it. */
    @SuppressWarnings("resource")
    private static GenericContainer<?> startContainer() {
        if (!DockerClientFactory.instance().isDockerAvailable()) {
            throw new IllegalStateException("Docker is not available");
        }
        var redis = new GenericContainer<>(DockerImageName.parse(IMAGE)).withExposedPorts(6379);
        // For systems on which the reaper of Testcontainers is disabled.
        Runtime.getRuntime().addShutdownHook(new Thread(redis::stop));
        redis.start();
        return redis;
    }

    private static String embedded(String reason) {
        try {
            return announce(
                    "embedded redis-server 7.0.15 (" + reason + ")",
                    EmbeddedRedis.start().url());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String announce(String kind, String url) {
        System.out.println("Redis for the tests: " + kind);
        return url;
    }
}
