package dev.latchkey.auth;

import dev.latchkey.auth.TokenStore.Issued;
import dev.latchkey.auth.UserStore.Stored;
import dev.latchkey.http.Caller;
import dev.latchkey.http.Client;
import dev.latchkey.overload.Attempts;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.overload.OverloadedException;
import dev.latchkey.redis.Redis;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * An account from registration to deletion, against whatever else happens to it at the same time.
 *
 * <p>Two rules make that hold. Whoever ends tokens changes the user record first and then ends what the index lists.
 * Whoever issues one writes and indexes it first and then reads the record again: where it has changed, the token goes
 * before anybody knew it. So of the two, one always sees the other. If a record
 * has changed meanwhile, the method starts over, and checks the password against the new record.
 */
public final class Accounts {
    // Each computes a hash or two, and would otherwise keep a hashing thread from other users. Two are enough
    // against one concurrent request.
    private static final int MAX_ATTEMPTS = 2;

    private final Redis redis;
    private final UserStore users;
    private final TokenStore tokens;
    private final PasswordHasher hasher;
    private final InstantSource clock;
    private final Consumer<String> forget;

    /** @param forget deletes all else that is kept for a username */
    public Accounts(
            Redis redis, TokenStore tokens, PasswordHasher hasher, InstantSource clock, Consumer<String> forget) {
        this.redis = redis;
        this.users = new UserStore(redis);
        this.tokens = tokens;
        this.hasher = hasher;
        this.clock = clock;
        this.forget = forget;
    }

    /** Returns null if there is no such user, or none who can log in: the account is being deleted, or its login is disabled. */
    @Nullable
    User find(String username) {
        Stored stored = users.find(username);
        return stored == null || stored.user().passwordHash().isEmpty() ? null : stored.user();
    }

    /**
     * Returns null if the name is taken. The name is reserved first, and gets its user when nothing is left of an earlier one:
     * a registration that stops half-way can be repeated, and never leaves an account with another user's tokens.
     *
     * @throws ContentionException if the name is being registered or deleted
     */
    @Nullable
    User register(Username username, String password) {
        var user = new User(username.text(), hasher.hash(password), now());
        Stored reservation = UserStore.reservation(user.username(), user.createdDate());
        try {
            if (users.reserve(reservation)) {
                tokens.revokeAll(user.username());
                forgetWhile(reservation);
                if (isCreated(reservation, user)) {
                    return user;
                }
                throw new ContentionException(1);
            }
        } catch (RuntimeException e) {
            redis.cleanUpLater(() -> users.remove(reservation));
            throw e;
        }
        Stored other = users.find(user.username());
        long seconds = other == null ? 1 : users.reservedSeconds(other);
        if (seconds > 0) {
            throw new ContentionException(seconds);
        }
        return null;
    }

    // a reply that is lost leaves open whether the user exists, and a repeated registration would find the name taken
    private boolean isCreated(Stored reserved, User user) {
        try {
            return users.create(reserved, user);
        } catch (RuntimeException e) {
            var found = new AtomicReference<@Nullable Stored>();
            redis.cleanUp(() -> found.set(users.find(user.username())));
            Stored stored = found.get();
            if (stored != null && stored.user().equals(user)) {
                return true;
            }
            throw e;
        }
    }

    /**
     * Returns null if there is no such user or the password is wrong: both cost one hash.
     *
     * @param username in its one form; empty where there can be no such user
     */
    @Nullable
    Issued login(String username, String password, Client client) {
        return Attempts.<Optional<Issued>>repeat(MAX_ATTEMPTS, () -> {
                    Stored stored = verified(username, password);
                    if (stored == null) {
                        return Optional.empty();
                    }
                    Issued issued = issue(upgraded(stored, password), client);
                    return issued == null ? null : Optional.of(issued);
                })
                .orElse(null);
    }

    // a login must not fail because the hash could be stronger: it is replaced another time
    private Stored upgraded(Stored stored, String password) {
        if (!hasher.isOutdated(stored.user().passwordHash())) {
            return stored;
        }
        try {
            Stored changed = users.replaceHash(stored, hasher.hash(password));
            return changed == null ? stored : changed;
        } catch (OverloadedException _) {
            return stored;
        }
    }

    /**
     * Ends all sessions and begins a new one. Returns null, and does nothing, if {@code current} is not the password. If {@code
     * next} is the password already, an earlier change has stopped half-way, and this one goes on with it.
     */
    @Nullable
    Issued changePassword(Caller caller, String current, String next, Client client) {
        return Attempts.<Optional<Issued>>repeat(MAX_ATTEMPTS, () -> {
                    Stored stored = users.find(caller.username());
                    String hash = hasher.replacement(
                            current, stored == null ? null : stored.user().passwordHash(), next);
                    if (stored == null || hash == null) {
                        return Optional.empty();
                    }
                    boolean changedBefore = hash.equals(stored.user().passwordHash());
                    Stored changed = changedBefore ? stored : users.replaceHash(stored, hash);
                    if (changed == null) {
                        return null;
                    }
                    Set<String> ended = tokens.revokeOthers(caller);
                    Issued issued = issue(changed, client);
                    if (issued == null) {
                        return null;
                    }
                    ended.addAll(issued.ended());
                    ended.addAll(tokens.revokeOwn(caller, issued.token()));
                    return Optional.of(new Issued(issued.token(), issued.session(), ended));
                })
                .orElse(null);
    }

    /**
     * Returns the ids of the sessions that ended with the account, or null, and does nothing, if it is not the password. If an
     * earlier deletion has stopped half-way, there is no password any more, and this one goes on with it.
     */
    @Nullable
    Set<String> delete(Caller caller, String password) {
        String username = caller.username();
        return Attempts.<Optional<Set<String>>>repeat(MAX_ATTEMPTS, () -> {
                    Stored stored = users.find(username);
                    boolean begun = stored == null || users.reservedSeconds(stored) > 0;
                    if (stored != null
                            && !begun
                            && !hasher.verify(password, stored.user().passwordHash())) {
                        return Optional.empty();
                    }
                    Stored closed = stored == null ? UserStore.reservation(username, now()) : users.close(stored);
                    if (closed == null || (stored == null && !users.reserve(closed))) {
                        return null;
                    }
                    Set<String> ended = tokens.revokeOthers(caller);
                    forgetWhile(closed);
                    ended.addAll(tokens.revokeOwn(caller, null));
                    redis.cleanUp(() -> users.remove(closed));
                    return Optional.of(ended);
                })
                .orElse(null);
    }

    // after the reservation has expired, the data may be the next user's
    private void forgetWhile(Stored reserved) {
        if (!users.isStill(reserved)) {
            throw new ContentionException(1);
        }
        forget.accept(reserved.user().username());
    }

    private @Nullable Stored verified(String username, String password) {
        Stored stored = username.isEmpty() ? null : users.find(username);
        boolean good =
                hasher.verify(password, stored == null ? null : stored.user().passwordHash());
        return good ? stored : null;
    }

    /** Returns null if the record has changed since: the password that was verified may no longer be the right one. */
    private @Nullable Issued issue(Stored stored, Client client) {
        String username = stored.user().username();
        Issued issued = tokens.open(username, client);
        try {
            if (users.isStill(stored)) {
                return issued;
            }
        } catch (RuntimeException e) {
            redis.cleanUpLater(() -> tokens.revoke(username, issued.token()));
            throw e;
        }
        tokens.revoke(username, issued.token());
        return null;
    }

    private Instant now() {
        return clock.instant().truncatedTo(ChronoUnit.MILLIS);
    }
}
