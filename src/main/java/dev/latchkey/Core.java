package dev.latchkey;

import dev.latchkey.accounts.AccountLifecycle;
import dev.latchkey.accounts.AccountService;
import dev.latchkey.accounts.LoginThrottle;
import dev.latchkey.accounts.PasswordHasher;
import dev.latchkey.accounts.UserStore;
import dev.latchkey.config.Config;
import dev.latchkey.redis.CleanUp;
import dev.latchkey.redis.Redis;
import dev.latchkey.todos.TodoStore;
import dev.latchkey.tokens.SessionIndex;
import dev.latchkey.tokens.TokenKeys;
import dev.latchkey.tokens.TokenStore;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.Executor;

/** What the service and the commands of an operator share: accounts, tokens and todos in Redis, without a server. */
public record Core(
        Redis redis,
        PasswordHasher hasher,
        InstantSource clock,
        TokenStore tokens,
        TodoStore todos,
        AccountService accounts)
        implements AutoCloseable {
    /** Starts to connect to Redis. */
    static Core open(Config config) {
        return open(config, Thread::startVirtualThread);
    }

    /** @param cleanUps runs what need not delay a response */
    static Core open(Config config, Executor cleanUps) {
        var redis = new Redis(config.redis());
        var cleanUp = new CleanUp(cleanUps);
        InstantSource clock = () -> Instant.now().truncatedTo(ChronoUnit.MILLIS); // as dates are stored
        var keys = new TokenKeys(redis, config.tokenFormat(), clock);
        var lifetimes = config.lifetimes();
        var index = new SessionIndex(redis, cleanUp);
        var tokens = new TokenStore(keys, index, lifetimes, config.maxSessionsPerUser(), cleanUp, clock);
        var todos = new TodoStore(redis, keys, config.maxTodosPerUser(), cleanUp);
        var users = new UserStore(redis);
        PasswordHasher hasher = PasswordHasher.create(config.pbkdf2Iterations());
        var throttle = new LoginThrottle(redis, "address", config.loginThrottle());
        var lifecycle = new AccountLifecycle(users, tokens, cleanUp, todos::removeAll);
        var accounts = new AccountService(users, tokens, hasher, throttle, lifecycle, cleanUp, clock);
        return new Core(redis, hasher, clock, tokens, todos, accounts);
    }

    /** Waits for clean-ups, at most a second, and disconnects from Redis. */
    @Override
    public void close() {
        accounts.cleanUp().close();
        redis.close();
    }
}
