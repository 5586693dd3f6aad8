package dev.latchkey.accounts;

import dev.latchkey.accounts.UserStore.UserRecord;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.CleanUp;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.TokenStore;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Creates and deletes users. Both reserve the username first, so that everything of an earlier user is gone before the
 * next user exists. The numbers are those of "Registration by reservation" in architecture.md.
 *
 * @param deleteUserData deletes everything else that is stored for a username
 */
public record AccountLifecycle(UserStore users, TokenStore tokens, CleanUp cleanUp, Consumer<String> deleteUserData) {
    /**
     * Creates a user, and reports whether the username was free.
     *
     * <p>A creation that fails half-way can be repeated, and never creates an account to which an old token belongs.
     *
     * @throws ContentionException if another request is creating or deleting the user
     */
    boolean create(User user) {
        UserRecord reservation = UserStore.reservation(user.username(), user.createdDate());
        if (cleanUp.undoOnFailure(() -> reserveAndCreate(reservation, user), () -> users.remove(reservation))) {
            return true;
        }
        UserRecord other = users.find(user.username());
        long seconds = other == null ? 1 : users.reservedSeconds(other.user());
        if (seconds > 0) {
            throw new ContentionException(seconds);
        }
        return false;
    }

    private boolean reserveAndCreate(UserRecord reservation, User user) {
        if (!users.reserve(reservation)) { // 1
            return false;
        }
        tokens.revokeAll(user.username()); // 2
        deleteDataWhileReserved(reservation); // 3
        if (!users.create(reservation, user)) { // 4
            throw new ContentionException(1);
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
    Set<String> delete(String username, @Nullable UserRecord record, @Nullable Caller caller) {
        UserRecord reservation = UserStore.reservationForDeletion(username);
        boolean isReserved = record == null ? users.reserve(reservation) : users.reserve(record, reservation); // 1
        if (!isReserved) {
            return null;
        }
        Set<String> endedIds = caller == null ? tokens.revokeAll(username) : tokens.revokeOthers(caller); // 2
        deleteDataWhileReserved(reservation); // 3
        Runnable lastSteps = () -> {
            // The caller's token was valid until now, and a concurrent request may have created a todo with it.
            if (caller != null && users.isUnchanged(reservation)) {
                deleteUserData.accept(username);
            }
            users.remove(reservation); // 5, last: if this is repeated, the username must still be reserved
        };
        if (caller != null) { // 4
            // If the reply is lost, the token may be gone, so that the caller cannot repeat the deletion.
            endedIds.addAll(cleanUp.undoOnFailure(() -> tokens.revokeOwn(caller, null), lastSteps));
        }
        cleanUp.run(lastSteps);
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
