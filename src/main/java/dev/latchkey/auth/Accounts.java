package dev.latchkey.auth;

import dev.latchkey.auth.TokenStore.Issued;
import dev.latchkey.auth.UserStore.Stored;
import dev.latchkey.http.Caller;
import dev.latchkey.http.Client;
import dev.latchkey.redis.Redis;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * An account from registration to deletion, against whatever else happens to it at the same time.
 *
 * <p>Two rules make that hold. Whoever ends tokens changes the user record first and then ends what the index lists.
 * Whoever issues one writes and indexes it first and then reads the record again: where it has changed, the token goes
 * before anybody knew it. So of the two, one always sees the other. Where a record has changed under a method's hands, it
 * begins anew, with the password checked against what is there now.
 */
public final class Accounts {
    private final UserStore users;
    private final TokenStore tokens;
    private final PasswordHasher hasher;
    private final InstantSource clock;
    private final Consumer<String> forget;

    /** @param forget deletes all else that is kept for a username */
    public Accounts(
            Redis redis, TokenStore tokens, PasswordHasher hasher, InstantSource clock, Consumer<String> forget) {
        this.users = new UserStore(redis);
        this.tokens = tokens;
        this.hasher = hasher;
        this.clock = clock;
        this.forget = forget;
    }

    /** Null where there is no such user. */
    @Nullable
    User find(String username) {
        Stored stored = users.find(username);
        return stored == null ? null : stored.user();
    }

    /** Null where the name is taken. */
    @Nullable
    User register(Username username, String password) {
        var now = clock.instant().truncatedTo(ChronoUnit.MILLIS);
        var user = new User(username.text(), hasher.hash(password), now);
        if (!users.create(user)) {
            return null;
        }
        // of an earlier user of that name, whose deletion stopped half-way
        tokens.revokeAll(user.username(), _ -> true);
        forget.accept(user.username());
        return user;
    }

    /**
     * Null where there is no such user or it is not the password: both cost one hash.
     *
     * @param username in its one form; empty where there can be no such user
     */
    @Nullable
    Issued login(String username, String password, Client client) {
        while (true) {
            Stored stored = verified(username, password);
            if (stored == null) {
                return null;
            }
            if (hasher.isOutdated(stored.user().passwordHash())) {
                stored = users.replaceHash(stored, hasher.hash(password));
            }
            Issued issued = stored == null ? null : issue(stored, client);
            if (issued != null) {
                return issued;
            }
        }
    }

    /** Ends all sessions and begins a new one. Null where {@code current} is not the password: then nothing happens. */
    @Nullable
    Issued changePassword(Caller caller, String current, String next, Client client) {
        while (true) {
            Stored stored = verified(caller.username(), current);
            if (stored == null) {
                return null;
            }
            Stored changed = users.replaceHash(stored, hasher.hash(next));
            if (changed != null) {
                Set<String> ended = tokens.revokeAll(caller);
                Issued issued = issue(changed, client);
                if (issued != null) {
                    ended.addAll(issued.ended());
                    return new Issued(issued.token(), issued.session(), ended);
                }
            }
        }
    }

    /** The ids of the sessions that ended with it; null where it is not the password: then nothing happens. */
    @Nullable
    Set<String> delete(Caller caller, String password) {
        while (true) {
            Stored stored = verified(caller.username(), password);
            if (stored == null) {
                return null;
            }
            Stored closed = users.close(stored);
            if (closed != null) {
                Set<String> ended = tokens.revokeAll(caller);
                forget.accept(caller.username());
                users.remove(closed);
                return ended;
            }
        }
    }

    private @Nullable Stored verified(String username, String password) {
        Stored stored = username.isEmpty() ? null : users.find(username);
        boolean good =
                hasher.verify(password, stored == null ? null : stored.user().passwordHash());
        return good ? stored : null;
    }

    /** Null where the record has changed since: the password that was verified may no longer be the one. */
    private @Nullable Issued issue(Stored stored, Client client) {
        String username = stored.user().username();
        Issued issued = tokens.open(username, client);
        if (users.isStill(stored)) {
            return issued;
        }
        tokens.revoke(username, issued.token());
        return null;
    }
}
