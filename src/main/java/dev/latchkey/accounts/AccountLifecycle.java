package dev.latchkey.accounts;

import dev.latchkey.accounts.UserStore.UserRecord;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.Redis;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.TokenStore;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Creates and deletes users. Both reserve the username first, so that everything of an earlier user is gone before the
 * next user exists.
 *
 * @param deleteUserData deletes everything else that is stored for a username
 */
record AccountLifecycle(Redis redis, UserStore users, TokenStore tokens, Consumer<String> deleteUserData) {
    /**
     * Creates a user, and reports whether the username was free.
     *
     * <p>A creation that fails half-way can be repeated, and never creates an account to which an old token belongs.
     *
     * @throws ContentionException if another request is creating or deleting the user
     */
    boolean create(User user) {
        UserRecord reservation = UserStore.reservation(user.username(), user.createdDate());
        if (redis.callOrCleanUp(() -> reserveAndCreate(reservation, user), () -> users.remove(reservation))) {
            return true;
        }
        UserRecord other = users.find(user.username());
        long seconds = other == null ? 1 : users.reservedSeconds(other);
        if (seconds > 0) {
            throw new ContentionException(seconds);
        }
        return false;
    }

    private boolean reserveAndCreate(UserRecord reservation, User user) {
        if (!users.reserve(reservation)) {
            return false;
        }
        tokens.revokeAll(user.username());
        deleteDataWhileReserved(reservation);
        try {
            if (!users.create(reservation, user)) {
                throw new ContentionException(1);
            }
        } catch (RedisUnavailableException e) {
            // The user may have been created, and a repeated registration would find the username taken. After a
            // timeout, the client has already waited long enough.
            var found = new AtomicReference<@Nullable UserRecord>();
            if (e.reason() != RedisUnavailableException.Reason.TIMEOUT) {
                redis.ignoreFailure(() -> found.set(users.find(user.username())));
            }
            UserRecord record = found.get();
            if (record == null || !record.user().equals(user)) {
                throw e;
            }
        }
        return true;
    }

    /**
     * Deletes a user with all sessions and data.
     *
     * @param record as it was found; null if there is none any more, to delete what an earlier deletion has left
     * @param caller whose own session ends last, so that the caller can repeat a deletion that fails half-way; null for
     *     an operator
     * @return the ids of the sessions that were ended, or null, and does nothing, if the record has changed
     */
    @Nullable
    Set<String> delete(String username, @Nullable UserRecord record, @Nullable Caller caller, Instant now) {
        UserRecord disabled = record == null ? UserStore.reservation(username, now) : users.disableLogin(record);
        if (disabled == null || (record == null && !users.reserve(disabled))) {
            return null;
        }
        Set<String> endedIds = caller == null ? tokens.revokeAll(username) : tokens.revokeOthers(caller);
        deleteDataWhileReserved(disabled);
        Runnable cleanUp = () -> {
            // The caller's token was valid until now, and a concurrent request may have created a todo with it.
            if (caller != null && users.isUnchanged(disabled)) {
                deleteUserData.accept(username);
            }
            users.remove(disabled); // last: if the clean-up is repeated, the username must still be reserved
        };
        if (caller != null) {
            // If the reply is lost, the token may be gone, so that the caller cannot repeat the deletion.
            endedIds.addAll(redis.callOrCleanUp(() -> tokens.revokeOwn(caller, null), cleanUp));
        }
        redis.cleanUp(cleanUp);
        return endedIds;
    }

    // After the reservation has expired, the data may belong to the next user with that username.
    private void deleteDataWhileReserved(UserRecord reservation) {
        if (!users.isUnchanged(reservation)) {
            throw new ContentionException(1);
        }
        deleteUserData.accept(reservation.user().username());
    }
}
