package dev.latchkey;

import dev.latchkey.auth.Accounts;
import dev.latchkey.auth.AuthFilter;
import dev.latchkey.auth.AuthRoutes;
import dev.latchkey.auth.LoginThrottle;
import dev.latchkey.auth.PasswordHasher;
import dev.latchkey.auth.PasswordPolicy;
import dev.latchkey.auth.TokenStore;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Route;
import dev.latchkey.http.Router;
import dev.latchkey.http.Server;
import dev.latchkey.ops.HealthRoutes;
import dev.latchkey.overload.Bulkhead;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.overload.OverloadedException;
import dev.latchkey.redis.Redis;
import dev.latchkey.todos.TodoRoutes;
import io.lettuce.core.RedisException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.InstantSource;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The whole service, started. Everything is put together here, and only here. */
public final class App implements AutoCloseable {
    // each takes up to a megabyte of heap, and sends hundreds of replies over the connection that token checks share
    private static final int MAX_LISTS = 8;

    private final Config config;
    private final Redis redis;
    private final PasswordHasher hasher;
    private final HealthRoutes health;
    private final Server server;

    private App(Config config, Redis redis, PasswordHasher hasher, HealthRoutes health, Server server) {
        this.config = config;
        this.redis = redis;
        this.hasher = hasher;
        this.health = health;
        this.server = server;
    }

    /**
     * Starts, whether Redis answers or not: until it does, all that needs it is 503.
     *
     * @throws IOException where the address cannot be bound
     */
    public static App start(Config config) throws IOException {
        Redis redis = Redis.connect(config.redisUrl(), config.redisCluster(), config.redisTimeout());
        PasswordHasher hasher = PasswordHasher.create(config.pbkdf2Iterations());
        try {
            var clock = InstantSource.system();
            var tokens =
                    new TokenStore(redis, config.tokenStorage(), config.tokenTtl(), config.maxSessionsPerUser(), clock);
            var guard = new AuthFilter(tokens);
            var lists = new Bulkhead(MAX_LISTS);
            var todos = new TodoRoutes(
                    redis, config.maxTodosPerUser(), config.maxTodoBytesPerUser(), lists, guard::requireLive, clock);
            var auth = new AuthRoutes(
                    new Accounts(redis, tokens, hasher, clock, todos::removeAll),
                    tokens,
                    new PasswordPolicy(config.passwordMinLength()),
                    new LoginThrottle(redis, config.loginThrottle()),
                    lists);
            var health = new HealthRoutes(redis);
            List<Route> routes = Stream.of(auth.routes(), todos.routes(), health.routes())
                    .flatMap(List::stream)
                    .toList();
            var router = new Router(routes, guard, config.maxBodyBytes(), config.trustedProxyHops());
            var address = new InetSocketAddress(config.host(), config.port());
            return new App(config, redis, hasher, health, Server.start(address, router, App::problem));
        } catch (IOException | RuntimeException e) {
            hasher.close();
            redis.close();
            throw e;
        }
    }

    /** What an exception of the parts means to a client; null where it is unexpected. */
    private static @Nullable Problem problem(Throwable e) {
        return switch (e) {
            case Problem problem -> problem;
            case OverloadedException _ -> Problem.unavailable("The service is overloaded.");
            case ContentionException busy ->
                new Problem(503, "Other requests are changing the same record.")
                        .with("Retry-After", Long.toString(busy.retrySeconds()));
            case RedisException _ -> Problem.unavailable("The token store does not answer.");
            default -> null;
        };
    }

    /** The one that is listened on, also where the configuration asked for any. */
    public int port() {
        return server.port();
    }

    /**
     * Says that it is not ready, goes on for the configured lame-duck time, finishes what is in flight, and stops.
     *
     * @return false where something in flight was cut off, because it took longer than the configured grace
     */
    public boolean stop() {
        health.drain();
        try {
            return server.stop(config.shutdownLameDuck(), config.shutdownGrace());
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            hasher.close();
            redis.close();
        }
    }

    @Override
    public void close() {
        stop();
    }
}
