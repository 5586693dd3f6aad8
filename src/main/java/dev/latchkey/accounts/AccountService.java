package dev.latchkey.accounts;

import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.accounts.UserStore.UserRecord;
import dev.latchkey.overload.Attempts;
import dev.latchkey.redis.CleanUp;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.ClientInfo;
import dev.latchkey.tokens.IssuedToken;
import dev.latchkey.tokens.SessionOptions;
import dev.latchkey.tokens.TokenStore;
import java.time.InstantSource;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Accounts from registration to deletion, safe against concurrent requests.
 *
 * <p>Two rules ensure this. Operations that make a password invalid change the user record first, then revoke every indexed
 * token. Operations that start a session store and index its token first, then read the user record again; if the record has
 * changed, they delete the token before any client knows it. Whichever runs second therefore sees the other. An
 * operation whose record has changed starts over, and verifies the password against the new record.
 *
 * <p>An attempt is counted after the wait for a hash thread, so that few are in flight, and before its hash is computed.
 * A correct password gives it back, so that correct logins cannot lock out an office or a web backend behind one address.
 *
 * @param clock in milliseconds
 */
public record AccountService(
        UserStore users,
        TokenStore tokens,
        PasswordHasher hasher,
        LoginThrottle throttle,
        AccountLifecycle lifecycle,
        CleanUp cleanUp,
        InstantSource clock) {
    private static final System.Logger LOG = System.getLogger("latchkey.auth");
    // Each attempt computes one or two hashes while other users wait. Two suffice against one concurrent request.
    private static final int MAX_ATTEMPTS = 2;

    /** Creates a user. Returns null if the username is taken. */
    public @Nullable User register(Username username, String password, ClientInfo client) {
        User user;
        try (var turn = hasher.awaitTurn(client.rateLimitKey())) {
            users.redis().requireNoOutageSince(turn.requestedNanos());
            throttle.count(client); // and not given back after a success, because what a registration stores stays
            user = new User(username.text(), turn.hash(password), clock.instant());
        }
        if (!lifecycle.create(user)) {
            return null;
        }
        Audit.log("registered", client, username.text(), "");
        return user;
    }

    /**
     * Starts a session. Returns null if there is no such user, or the password is wrong.
     *
     * @param name as typed. If there is no such user, a hash is computed all the same.
     */
    public @Nullable IssuedToken login(String name, String password, SessionOptions options, ClientInfo client) {
        String username = Username.canonical(name);
        for (var attempts = Attempts.limitedTo(MAX_ATTEMPTS); ; attempts.next()) {
            UserRecord record = username.isEmpty() ? null : users.find(username);
            try (var turn = hasher.awaitTurn(client.rateLimitKey())) {
                if (!verify(turn, name, record, password, client, false) || record == null) {
                    Audit.log("login failed", client, username, "");
                    return null;
                }
                record = upgradeHash(turn, record, password);
            }
            IssuedToken issued = issue(record, options, client);
            if (issued != null) {
                Audit.sessionStarted("login succeeded", client, username, issued.session());
                Audit.sessionsRevoked(client, username, issued.endedSessionIds());
                return issued;
            }
        }
    }

    private UserRecord upgradeHash(PasswordHasher.Turn turn, UserRecord record, String password) {
        if (!hasher.isOutdated(record.user().passwordHash())) {
            return record;
        }
        UserRecord upgraded = users.replaceHash(record, turn.hash(password));
        return upgraded == null ? record : upgraded;
    }

    /**
     * Replaces the caller's token by a new one. Returns null if the token is no longer valid, or if its session is too
     * old. Of several concurrent calls, at most one succeeds.
     */
    public @Nullable IssuedToken refresh(Caller caller, ClientInfo client) {
        // A token may have outlived its user, if deleting the account has failed half-way.
        IssuedToken issued = users.findEnabled(caller.username()) == null ? null : tokens.rotate(caller, client);
        if (issued != null) {
            Audit.log("refreshed", client, caller.username(), issued.session().id());
        }
        return issued;
    }

    /**
     * Changes the caller's password, ends all sessions and starts a new one. If {@code next} already is the password,
     * an earlier change has failed half-way, and this call completes it.
     *
     * @throws WrongPasswordException if neither password is correct
     */
    public IssuedToken changePassword(Caller caller, String current, String next, ClientInfo client) {
        String username = caller.username();
        for (var attempts = Attempts.limitedTo(MAX_ATTEMPTS); ; attempts.next()) {
            UserRecord record = users.find(username);
            UserRecord changed;
            try (var turn = hasher.awaitTurn(client.rateLimitKey())) {
                if (record != null && verify(turn, username, record, current, client, false)) {
                    changed = users.replaceHash(record, turn.hash(next));
                } else if (record != null && verify(turn, username, record, next, client, false)) { // a second guess
                    changed = record;
                } else {
                    throw wrongPassword(caller, client);
                }
            }
            IssuedToken issued = changed == null ? null : replaceSessions(caller, changed, client);
            if (issued != null) {
                Audit.log("password changed", client, username, issued.session().id());
                Audit.sessionsRevoked(client, username, issued.endedSessionIds());
                return issued;
            }
        }
    }

    // Returns null if the record has changed again.
    private @Nullable IssuedToken replaceSessions(Caller caller, UserRecord changed, ClientInfo client) {
        Set<String> endedIds = tokens.revokeOthers(caller);
        IssuedToken issued = issue(changed, SessionOptions.NONE, client);
        if (issued == null) {
            return null;
        }
        endedIds.addAll(issued.endedSessionIds());
        // The client does not get the new token if this fails.
        Runnable undo = () -> tokens.revoke(caller.username(), issued.token());
        endedIds.addAll(cleanUp.undoOnFailure(() -> tokens.revokeOwn(caller, issued.token()), undo));
        return new IssuedToken(issued.token(), issued.session(), endedIds);
    }

    /**
     * Deletes the caller's account with its sessions and data. If an earlier deletion has failed half-way, there is no
     * password to verify any more, and this call completes it.
     *
     * @throws WrongPasswordException if the password is wrong
     */
    public void delete(Caller caller, String password, ClientInfo client) {
        String username = caller.username();
        String sessionId = tokens.sessionId(caller);
        for (var attempts = Attempts.limitedTo(MAX_ATTEMPTS); ; attempts.next()) {
            UserRecord record = users.find(username);
            if (record != null && users.reservedSeconds(record.user()) == 0) {
                try (var turn = hasher.awaitTurn(client.rateLimitKey())) {
                    if (!verify(turn, username, record, password, client, true)) {
                        throw wrongPassword(caller, client);
                    }
                }
            }
            Set<String> endedIds = lifecycle.delete(username, record, caller);
            if (endedIds != null) {
                Audit.log("account deleted", client, username, sessionId);
                Audit.sessionsRevoked(client, username, endedIds);
                return;
            }
        }
    }

    private boolean verify(
            PasswordHasher.Turn turn,
            String name,
            @Nullable UserRecord record,
            String password,
            ClientInfo client,
            boolean evenIfFull) {
        String hash = record == null ? null : record.user().passwordHash();
        // If Redis is unavailable since, one turn after the other would wait for it.
        users.redis().requireNoOutageSince(turn.requestedNanos());
        var attempt = throttle.start(client, name, hash, evenIfFull);
        if (hash != null && !hash.isEmpty() && !PasswordHasher.isUsable(hash)) { // the rate limit bounds these lines
            String username = Username.canonical(name);
            LOG.log(WARNING, "a stored password hash is not usable: that user cannot log in", "username", username);
        }
        boolean correct = turn.verify(password, hash);
        throttle.end(attempt, correct);
        return correct;
    }

    private WrongPasswordException wrongPassword(Caller caller, ClientInfo client) {
        Audit.log("wrong password", client, caller.username(), tokens.sessionId(caller));
        return new WrongPasswordException();
    }

    // Returns null if the record has changed: the password that was verified may no longer be correct.
    @Nullable
    IssuedToken issue(UserRecord record, SessionOptions options, ClientInfo client) {
        return tokens.startSession(record.user().username(), options, client, () -> users.isUnchanged(record));
    }
}
