package dev.latchkey.tokens;

import dev.latchkey.redis.CleanUp;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Starts, lists and ends sessions, and rotates their tokens. Keeps {@link TokenKeys} and {@link SessionIndex} consistent.
 *
 * @param maxSessions per user; one more ends the oldest session
 * @param clock in milliseconds
 */
public record TokenStore(
        TokenKeys keys,
        SessionIndex index,
        Lifetimes lifetimes,
        int maxSessions,
        CleanUp cleanUp,
        InstantSource clock) {
    // Returns null if the index has no entry for the session, because another program wrote the token.
    private @Nullable Session session(Caller caller) {
        return index.find(caller.username(), keys.suffix(caller.token()));
    }

    /** Returns the public id of the caller's session, or an empty text if the session is not known. */
    public String sessionId(Caller caller) {
        Session session = session(caller);
        return session == null ? "" : session.id();
    }

    /**
     * Starts a session. Its token is valid, but no client knows it yet.
     *
     * @param isAllowed is asked when the token is stored and indexed. If it returns false, this method returns null, and
     *     has ended no other session.
     */
    public @Nullable IssuedToken startSession(
            String username, SessionOptions options, ClientInfo client, BooleanSupplier isAllowed) {
        String token = keys.newToken();
        Duration ttl = lifetimes.ofFirstToken(options.expiresIn());
        Session session = Session.start(client, options, clock.instant(), ttl);
        Map<String, Session> all = write(token, username, session, ttl, maxSessions);
        Runnable undo = () -> revoke(username, token);
        if (!cleanUp.undoUnless(isAllowed, undo)) {
            return null;
        }
        Set<String> endedIds = cleanUp.undoOnFailure(() -> evict(username, all, session.id()), undo);
        return new IssuedToken(token, session, endedIds);
    }

    /**
     * Replaces the caller's token by a new one. Returns null if the caller's token is no longer valid, or if the session
     * is too old: of several concurrent calls, at most one succeeds.
     *
     * <p>The new token is stored first and returned last, so a crash in between leaves the client with its old token.
     * If deleting the old token fails, this method fails too.
     */
    public @Nullable IssuedToken rotate(Caller caller, ClientInfo client) {
        Instant now = clock.instant();
        Session old = session(caller);
        // A token that a concurrent request has revoked must not start a session: a login would evict another for it.
        if (old == null && !keys.isStillValid(caller.token())) {
            return null;
        }
        Instant start = old == null || old.createdDate().isAfter(now) ? now : old.createdDate(); // a clock was ahead
        Optional<Integer> expiresIn = old == null ? Optional.empty() : old.expiresIn();
        Duration ttl = lifetimes.ofNextToken(Duration.between(start, now), expiresIn);
        if (!ttl.isPositive()) {
            return null;
        }
        Session session =
                old == null ? Session.start(client, SessionOptions.NONE, now, ttl) : old.renew(client, start, now, ttl);
        String token = keys.newToken();
        // Indexed before the old token is deleted: a concurrent revocation always finds an entry of a valid session.
        write(token, caller.username(), session, ttl, Integer.MAX_VALUE); // a refresh evicts no session
        Runnable undo = () -> revoke(caller.username(), token);
        boolean wasValid = cleanUp.undoUnless(() -> revoke(caller.username(), caller.token()), undo);
        return wasValid ? new IssuedToken(token, session, Set.of()) : null;
    }

    /** Revokes one token, and reports whether it was valid. */
    public boolean revoke(String username, String token) {
        String keySuffix = keys.suffix(token);
        boolean wasValid = keys.delete(keySuffix);
        index.remove(username, List.of(keySuffix));
        return wasValid;
    }

    /** Returns the user's sessions, newest first. Removes entries that have outlived their token. */
    public List<Session> sessions(String username) {
        Map<String, Session> all = index.all(username);
        all.values().removeIf(Session.UNREADABLE::equals);
        Set<String> expired = new HashSet<>(all.keySet());
        expired.removeAll(keys.existing(all.keySet()));
        index.remove(username, expired);
        expired.forEach(all::remove);
        Map<String, Session> byId = all.values().stream() // during a refresh, a session has two entries
                .collect(Collectors.toMap(Session::id, session -> session, (one, _) -> one));
        return byId.values().stream().sorted(Session.NEWEST_FIRST).toList();
    }

    /** Ends all sessions of a user. Returns the ids of those that had a valid token. */
    public Set<String> revokeAll(String username) {
        return revocation().ofMatching(username, (_, _) -> true);
    }

    /**
     * Ends the sessions of all users, and returns how many tokens were valid. A token that a login stores meanwhile may
     * stay valid.
     */
    public long revokeAll() {
        // First the tokens, because some may have no entry in an index. A concurrent refresh of one of them indexes the
        // next token before it deletes its own, so that token is found in the index.
        var revoked = new AtomicLong(keys.deleteAll());
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) { // they share system calls
            index.forEachBatch(usernames -> usernames.stream()
                    .map(username -> CompletableFuture.supplyAsync(() -> revokeAll(username), threads))
                    .toList()
                    .forEach(ended -> revoked.addAndGet(ended.join().size())));
            return revoked.get();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    /** Ends one session. Returns its id if it had a valid token, and nothing otherwise. */
    public Set<String> revokeSession(String username, String id) {
        return revocation().ofMatching(username, (_, session) -> session.id().equals(id));
    }

    /**
     * Ends the caller's session. If a concurrent refresh has already rotated the caller's token, the new token is
     * revoked.
     *
     * @return the id of the session, which is empty if it is not known, or null if the session had no valid token
     */
    public @Nullable String endSession(Caller caller) {
        String id = sessionId(caller);
        boolean ended = revoke(caller.username(), caller.token())
                || (!id.isEmpty() && !revokeSession(caller.username(), id).isEmpty());
        return ended ? id : null;
    }

    /**
     * Ends all sessions of the caller except the current one, which {@link #revokeOwn} ends last. Until then, the
     * caller can repeat a request that has failed. Returns the ids of the sessions that had a valid token.
     */
    public Set<String> revokeOthers(Caller caller) {
        String own = keys.suffix(caller.token());
        return revocation().ofMatching(caller.username(), (keySuffix, _) -> !keySuffix.equals(own));
    }

    /**
     * Ends the caller's current session. If a concurrent refresh has already rotated its token, all tokens in the index
     * are revoked, and with them the new one.
     *
     * @param except a token that stays valid, or null
     */
    public Set<String> revokeOwn(Caller caller, @Nullable String except) {
        String id = sessionId(caller);
        if (revoke(caller.username(), caller.token())) {
            return id.isEmpty() ? Set.of() : Set.of(id);
        }
        String kept = except == null ? "" : keys.suffix(except);
        return revocation().ofMatching(caller.username(), (keySuffix, _) -> !keySuffix.equals(kept));
    }

    private Revocation revocation() {
        return new Revocation(keys, index);
    }

    // Evicts as many sessions as exceed the limit: first those whose token has expired, then those without a name, the
    // oldest first. Never evicts the session that was just opened, even if the clock of another instance is ahead.
    private Set<String> evict(String username, Map<String, Session> all, String openedId) {
        Instant now = clock.instant();
        List<String> otherIds = all.values().stream()
                .filter(session -> !session.id().equals(openedId))
                .sorted(Comparator.comparing(
                                (Session session) -> session.expiresDate().isAfter(now))
                        .thenComparing(session -> session.name().isPresent())
                        .thenComparing(Session.NEWEST_FIRST.reversed()))
                .map(Session::id)
                .distinct()
                .toList();
        List<String> idsToEvict = otherIds.subList(0, Math.max(0, otherIds.size() + 1 - maxSessions));
        all.values().removeIf(session -> !idsToEvict.contains(session.id()));
        Set<String> endedIds = revocation().of(username, all);
        // A session would escape if it were refreshed after the index was read:
        // 1. The login finds the entry of T1 in the index.
        // 2. A refresh stores T2, indexes it, and deletes T1.
        // 3. The login deletes T1, which is gone already.
        // 4. The session lives on with T2.
        boolean noToken = !endedIds.containsAll(idsToEvict);
        // The same with two refreshes of T1, of which the slower one hides that the session has escaped:
        // 1. The slower refresh stores T2 and indexes it. The login finds the entries of T1 and T2.
        // 2. The faster refresh stores T3, indexes it, and deletes T1.
        // 3. The login deletes T1, which is gone, and T2, which was valid: the session seems to have ended.
        // 4. The slower refresh fails, because T1 is gone. The session lives on with T3.
        boolean severalTokens = all.size() > idsToEvict.size();
        if (noToken || severalTokens) {
            endedIds.addAll(revocation().ofMatching(username, (_, session) -> idsToEvict.contains(session.id())));
        }
        return endedIds;
    }

    // Returns all sessions by key suffix if there are more than max, and none otherwise.
    private Map<String, Session> write(String token, String username, Session session, Duration ttl, int max) {
        String keySuffix = keys.suffix(token);
        Supplier<Map<String, Session>> write = () -> {
            keys.set(keySuffix, username, ttl);
            return index.add(username, keySuffix, session, ttl, max);
        };
        return cleanUp.undoOnFailure(write, () -> revoke(username, token));
    }
}
