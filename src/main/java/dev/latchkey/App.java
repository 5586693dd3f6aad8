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
    private static final System.Logger LOG = System.getLogger("latchkey.app");

    private final Redis redis;
    private final PasswordHasher hasher;
    private final Server server;

    private App(Redis redis, PasswordHasher hasher, Server server) {
        this.redis = redis;
        this.hasher = hasher;
        this.server = server;
    }

    /**
     * @throws IOException where the address cannot be bound
     * @throws RedisException where Redis does not answer
     */
    public static App start(Config config) throws IOException {
        Redis redis = Redis.connect(config.redisUrl(), config.redisTimeout());
        PasswordHasher hasher = PasswordHasher.create(config.pbkdf2Iterations());
        try {
            var commands = redis.commands();
            var clock = InstantSource.system();
            var tokens = new TokenStore(
                    commands, config.tokenStorage(), config.tokenTtl(), config.maxSessionsPerUser(), clock);
            var guard = new AuthFilter(tokens);
            var todos = new TodoRoutes(commands, config.maxTodosPerUser(), guard::requireLive, clock);
            var auth = new AuthRoutes(
                    new Accounts(commands, tokens, hasher, clock, todos::removeAll),
                    tokens,
                    new PasswordPolicy(config.passwordMinLength()),
                    new LoginThrottle(commands, config.loginThrottle()));
            List<Route> routes = Stream.of(auth.routes(), todos.routes(), new HealthRoutes(commands).routes())
                    .flatMap(List::stream)
                    .toList();
            var router = new Router(routes, guard, config.maxBodyBytes(), config.trustedProxyHops());
            var address = new InetSocketAddress(config.host(), config.port());
            return new App(redis, hasher, Server.start(address, router, App::problem));
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
            case PasswordHasher.BusyException _ -> unavailable("Too many passwords wait to be checked.");
            case RedisException _ -> {
                LOG.log(System.Logger.Level.WARNING, "Redis: " + e.getMessage());
                yield unavailable("The token store does not answer.");
            }
            default -> null;
        };
    }

    private static Problem unavailable(String detail) {
        return new Problem(503, detail).with("Retry-After", "1");
    }

    /** The one that is listened on, also where the configuration asked for any. */
    public int port() {
        return server.port();
    }

    /** Finishes the requests in flight first. */
    @Override
    public void close() {
        server.close();
        hasher.close();
        redis.close();
    }
}
