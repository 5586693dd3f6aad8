package dev.latchkey.accounts;

import dev.latchkey.accounts.UserStore.UserRecord;
import dev.latchkey.overload.Attempts;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.WrongTypeException;
import dev.latchkey.tokens.ClientInfo;
import dev.latchkey.tokens.IssuedToken;
import dev.latchkey.tokens.SessionOptions;
import dev.latchkey.tokens.TokenStore;
import java.time.Instant;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What an operator does to any account, without its password. It follows the rules of {@link AccountService}, so it is
 * safe against concurrent requests, and an operation that has failed half-way can be repeated.
 *
 * <p>While a request registers or deletes the user, {@link #setPassword} and {@link #disable} throw a {@link
 * ContentionException}. The sessions end all the same, and also if the record is damaged.
 */
public record AccountAdministration(AccountService accounts) {
    // Only the first attempt computes a hash.
    private static final int MAX_ATTEMPTS = 10;

    /**
     * The result of an operation.
     *
     * @param userExisted whether there was such a user before
     * @param endedSessionIds the public ids of the sessions that were ended
     */
    public record Result(boolean userExisted, Set<String> endedSessionIds) {}

    /**
     * A line of the list of users.
     *
     * @param createdDate null if the record is unreadable
     * @param state enabled, disabled, or unreadable because another program wrote the record
     */
    public record Summary(String username, @Nullable Instant createdDate, String state) {}

    /**
     * Returns the username that an operator means: the text as it is if it has a user record, because another program
     * may have created users whose names this service does not allow; otherwise the canonical form if there is one.
     */
    public String resolve(String name) {
        String canonical = Username.canonical(name);
        return canonical.isEmpty() || users().exists(name) ? name : canonical;
    }

    /** Reports whether there is such a user, enabled or disabled. */
    public boolean exists(String username) {
        UserRecord record = users().findEvenIfUnreadable(username, Instant.EPOCH);
        return record != null && users().reservedSeconds(record.user()) == 0;
    }

    /**
     * Creates a user, or replaces the password of a user, ends all sessions and enables the login.
     *
     * @throws ContentionException also if other requests keep changing the record
     */
    public Result setPassword(Username username, String password) {
        String name = username.text();
        String hash;
        try (var turn = accounts.hasher().awaitTurn("")) {
            hash = turn.hash(password);
        }
        for (var attempts = Attempts.limitedTo(MAX_ATTEMPTS); ; attempts.next()) {
            UserRecord record = unreserved(name);
            if (record == null) {
                if (accounts.lifecycle()
                        .create(new User(name, hash, accounts.clock().instant()))) {
                    return new Result(false, Set.of());
                }
            } else if (users().replaceHash(record, hash) != null) {
                return new Result(true, tokens().revokeAll(name));
            }
        }
    }

    /** Ends all sessions, and refuses every login until the next {@link #setPassword}. The username stays taken. */
    public Result disable(String username) {
        for (var attempts = Attempts.limitedTo(MAX_ATTEMPTS); ; attempts.next()) {
            UserRecord record = unreserved(username);
            // Repeated although the record has no hash: an earlier call may have failed before it had ended all
            // sessions.
            if (record == null || users().disableLogin(record)) {
                return new Result(record != null, tokens().revokeAll(username));
            }
        }
    }

    /**
     * Starts a session without a password, for a machine. Returns null if there is no such user, or if the user is
     * disabled.
     *
     * @throws ContentionException if other requests keep changing the record
     */
    public @Nullable IssuedToken issueToken(String username, SessionOptions options) {
        for (var attempts = Attempts.limitedTo(MAX_ATTEMPTS); ; attempts.next()) {
            UserRecord record = users().find(username);
            if (record == null || record.user().passwordHash().isEmpty()) {
                return null;
            }
            IssuedToken issued = accounts.issue(record, options, ClientInfo.NONE);
            if (issued != null) {
                Audit.sessionStarted("token issued", null, username, issued.session());
                Audit.sessionsRevoked(null, username, issued.endedSessionIds());
                return issued;
            }
        }
    }

    /** Ends all sessions. The user can log in again. */
    public Result endSessions(String username) {
        return new Result(users().exists(username), tokens().revokeAll(username));
    }

    /**
     * Deletes the user with all sessions and data. If there is no such user, or if a deletion has stopped half-way, this
     * deletes what is left.
     */
    public Result delete(String username) {
        for (var attempts = Attempts.limitedTo(MAX_ATTEMPTS); ; attempts.next()) {
            UserRecord record = find(username);
            Set<String> endedIds = accounts.lifecycle().delete(username, record, null);
            if (endedIds != null) {
                return new Result(record != null, endedIds);
            }
        }
    }

    /**
     * Passes all users, in no particular order. A user that exists during the whole call is passed at least once, and
     * rarely twice.
     */
    public void forEachUser(Consumer<Summary> onUser) {
        users().forEachUser((username, user) -> {
            if (user == null) {
                onUser.accept(new Summary(username, null, "unreadable"));
            } else if (users().reservedSeconds(user) == 0) {
                String state = user.passwordHash().isEmpty() ? "disabled" : "enabled";
                onUser.accept(new Summary(username, user.createdDate(), state));
            }
        });
    }

    // Returns null if there is no such user. If the record cannot be changed, at least the sessions end.
    private @Nullable UserRecord unreserved(String username) {
        UserRecord record = find(username);
        long seconds = record == null ? 0 : users().reservedSeconds(record.user());
        if (seconds > 0) {
            Audit.sessionsRevoked(null, username, tokens().revokeAll(username));
            throw new ContentionException(seconds);
        }
        return record;
    }

    private @Nullable UserRecord find(String username) {
        try {
            return users().findEvenIfUnreadable(username, accounts.clock().instant());
        } catch (WrongTypeException e) {
            Audit.sessionsRevoked(null, username, tokens().revokeAll(username));
            throw e;
        }
    }

    private UserStore users() {
        return accounts.users();
    }

    private TokenStore tokens() {
        return accounts.tokens();
    }
}
