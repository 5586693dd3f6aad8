package dev.latchkey.accounts;

import dev.latchkey.accounts.UserStore.UserRecord;
import dev.latchkey.overload.Attempts;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.overload.OverloadedException;
import dev.latchkey.redis.Redis;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.ClientInfo;
import dev.latchkey.tokens.IssuedToken;
import dev.latchkey.tokens.TokenStore;
import java.time.InstantSource;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Accounts from registration to deletion, safe against concurrent requests.
 *
 * <p>Two rules ensure this. Operations that revoke tokens change the user record first, then revoke every indexed
 * token. Operations that issue a token store and index it first, then read the user record again; if the record has
 * changed, they delete the token before any client knows it. Whichever runs second therefore sees the other. An
 * operation whose record has changed starts over, and verifies the password against the new record.
 *
 * @param clock in milliseconds
 * @param deleteUserData deletes everything else that is stored for a username
 */
public record AccountService(
        Redis redis,
        UserStore users,
        TokenStore tokens,
        PasswordHasher hasher,
        InstantSource clock,
        Consumer<String> deleteUserData) {
    // Each attempt computes one or two hashes while other users wait. Two suffice against one concurrent request.
    private static final int MAX_ATTEMPTS = 2;

    /** Returns null if there is no such user, or if the user cannot log in. */
    public @Nullable User find(String username) {
        UserRecord record = users.find(username);
        return record == null || record.user().passwordHash().isEmpty() ? null : record.user();
    }

    /**
     * Creates a user. Returns null if the username is taken.
     *
     * @throws ContentionException if another request is registering or deleting the username
     */
    public @Nullable User register(Username username, String password) {
        var user = new User(username.text(), hasher.hash(password), clock.instant());
        return lifecycle().create(user) ? user : null;
    }

    /**
     * Starts a session.
     *
     * @param username in canonical form, or empty if there cannot be such a user. In either case the password is
     *     hashed.
     * @throws WrongPasswordException if there is no such user, or the password is wrong
     */
    public IssuedToken login(String username, String password, ClientInfo client) {
        return Attempts.repeat(MAX_ATTEMPTS, () -> {
            UserRecord record = username.isEmpty() ? null : users.find(username);
            boolean correct = hasher.verify(
                    password, record == null ? null : record.user().passwordHash());
            if (record == null || !correct) {
                throw new WrongPasswordException();
            }
            return issue(upgradeHash(record, password), client);
        });
    }

    // A login does not fail because its hash could be stronger. The hash is then upgraded at a later login.
    private UserRecord upgradeHash(UserRecord record, String password) {
        if (!hasher.isOutdated(record.user().passwordHash())) {
            return record;
        }
        try {
            UserRecord upgraded = users.replaceHash(record, hasher.hash(password));
            return upgraded == null ? record : upgraded;
        } catch (OverloadedException _) {
            return record;
        }
    }

    /**
     * Changes the caller's password, ends all sessions and starts a new one. If {@code next} already is the password,
     * an earlier change has failed half-way, and this call completes it.
     *
     * @throws WrongPasswordException if neither password is correct
     */
    public IssuedToken changePassword(Caller caller, String current, String next, ClientInfo client) {
        return Attempts.repeat(MAX_ATTEMPTS, () -> {
            UserRecord record = users.find(caller.username());
            String hash = hasher.replacement(
                    current, record == null ? null : record.user().passwordHash(), next);
            if (record == null || hash == null) {
                throw new WrongPasswordException();
            }
            boolean alreadyChanged = hash.equals(record.user().passwordHash());
            UserRecord changed = alreadyChanged ? record : users.replaceHash(record, hash);
            if (changed == null) {
                return null;
            }
            Set<String> endedIds = tokens.revokeOthers(caller);
            IssuedToken issued = issue(changed, client);
            if (issued == null) {
                return null;
            }
            endedIds.addAll(issued.endedSessionIds());
            // The client does not get the new token if this fails.
            Runnable undo = () -> tokens.revoke(caller.username(), issued.token());
            endedIds.addAll(redis.callOrCleanUp(() -> tokens.revokeOwn(caller, issued.token()), undo));
            return new IssuedToken(issued.token(), issued.session(), endedIds);
        });
    }

    /**
     * Deletes the caller's account with its sessions and data. If an earlier deletion has failed half-way, there is no
     * password to verify any more, and this call completes it.
     *
     * @return the ids of the sessions that were ended
     * @throws WrongPasswordException if the password is wrong
     */
    public Set<String> delete(Caller caller, String password) {
        String username = caller.username();
        return Attempts.repeat(MAX_ATTEMPTS, () -> {
            UserRecord record = users.find(username);
            boolean verified = record == null
                    || users.reservedSeconds(record) > 0
                    || hasher.verify(password, record.user().passwordHash());
            if (!verified) {
                throw new WrongPasswordException();
            }
            return lifecycle().delete(username, record, caller, clock.instant());
        });
    }

    // Returns null if the record has changed: the password that was verified may no longer be correct.
    private @Nullable IssuedToken issue(UserRecord record, ClientInfo client) {
        String username = record.user().username();
        IssuedToken issued = tokens.startSession(username, client);
        Runnable undo = () -> tokens.revoke(username, issued.token());
        if (redis.callOrCleanUp(() -> users.isUnchanged(record), undo)) {
            return issued;
        }
        redis.cleanUp(undo);
        return null;
    }

    AccountLifecycle lifecycle() {
        return new AccountLifecycle(redis, users, tokens, deleteUserData);
    }
}
