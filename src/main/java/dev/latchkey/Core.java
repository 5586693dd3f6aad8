package dev.latchkey;

import dev.latchkey.accounts.AccountService;
import dev.latchkey.accounts.PasswordHasher;
import dev.latchkey.accounts.UserStore;
import dev.latchkey.redis.Redis;
import dev.latchkey.todos.TodoStore;
import dev.latchkey.tokens.Lifetimes;
import dev.latchkey.tokens.SessionIndex;
import dev.latchkey.tokens.TokenKeys;
import dev.latchkey.tokens.TokenStore;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.ThreadFactory;

/** What the service and the commands of an operator share: accounts, tokens and todos in Redis, without a server. */
record Core(
        Redis redis,
        PasswordHasher hasher,
        InstantSource clock,
        TokenStore tokens,
        TodoStore todos,
        AccountService accounts)
        implements AutoCloseable {
    /** Starts to connect to Redis. */
    static Core open(Config config) {
        return open(config, Thread.ofVirtual().factory());
    }

    /** @param cleanUpThreads for what need not delay a response */
    static Core open(Config config, ThreadFactory cleanUpThreads) {
        Redis redis = new Redis(config.redis(), cleanUpThreads);
        PasswordHasher hasher = PasswordHasher.create(config.pbkdf2Iterations());
        InstantSource clock = () -> Instant.now().truncatedTo(ChronoUnit.MILLIS); // as dates are stored
        var keys = new TokenKeys(redis, config.tokenFormat(), clock);
        var lifetimes = new Lifetimes(config.tokenTtl(), config.sessionMaxAge());
        var index = new SessionIndex(redis);
        var tokens = new TokenStore(redis, keys, index, lifetimes, config.maxSessionsPerUser(), clock);
        var limits = new TodoStore.Limits(config.maxTodosPerUser(), config.maxTodoBytesPerUser());
        var todos = new TodoStore(redis, limits);
        var accounts = new AccountService(redis, new UserStore(redis), tokens, hasher, clock, todos::removeAll);
        return new Core(redis, hasher, clock, tokens, todos, accounts);
    }

    @Override
    public void close() {
        hasher.close();
        redis.close();
    }
}
