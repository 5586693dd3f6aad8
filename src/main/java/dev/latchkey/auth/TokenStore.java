package dev.latchkey.auth;

import dev.latchkey.http.Caller;
import dev.latchkey.http.Client;
import dev.latchkey.overload.Attempts;
import dev.latchkey.redis.Redis;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The keys {@code tokens:{suffix}}: the value is the username, the TTL is the token's. A token is valid as long as its key
 * is there; nothing is cached, so that a revoked one is refused from the next request on.
 */
public final class TokenStore {
    private static final System.Logger LOG = System.getLogger("latchkey.auth");
    private static final int MAX_ROUNDS = 10; // each ends all that the index lists
    private static final Comparator<Session> NEWEST_FIRST = Comparator.comparing(Session::createdDate)
            .thenComparing(Session::id)
            .reversed();

    private final Redis redis;
    private final SessionIndex index;
    private final TokenStorage storage;
    private final Duration ttl;
    private final int maxSessions;
    private final InstantSource clock;
    private final AtomicBoolean warned = new AtomicBoolean();

    /**
     * A token that was issued.
     *
     * @param ended ids of the sessions that ended for it
     */
    record Issued(String token, Session session, Set<String> ended) {
        /** Without the token. */
        @Override
        public String toString() {
            return session.id();
        }
    }

    /**
     * @param ttl of every token issued, at least one second
     * @param maxSessions that a user may hold; one more ends the oldest
     */
    public TokenStore(Redis redis, TokenStorage storage, Duration ttl, int maxSessions, InstantSource clock) {
        this.redis = redis;
        this.index = new SessionIndex(redis);
        this.storage = storage;
        this.ttl = ttl;
        this.maxSessions = maxSessions;
        this.clock = clock;
    }

    /**
     * Returns whose token it is, or null if it is unknown, expired or revoked, or its value cannot be a username. One GET, or
     * none if it cannot be a token.
     */
    @Nullable
    String find(String token) {
        String username = storage.isWellFormed(token) ? redis.get(key(storage.suffix(token))) : null;
        if (username == null || Username.isPlausible(username)) {
            return username;
        }
        if (warned.compareAndSet(false, true)) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "the value of a token key cannot be a username: such tokens are refused");
        }
        return null;
    }

    /** The caller's session; null where it is not in the index, for another program has written the token. */
    @Nullable
    Session session(Caller caller) {
        return index.find(caller.username(), storage.suffix(caller.token()));
    }

    /** Begins a session. Its token is live, but nobody knows it yet. */
    Issued open(String username, Client client) {
        String token = storage.newToken();
        Session session = Session.begin(client, now(), ttl);
        Map<String, Session> all = write(token, username, session);
        try {
            return new Issued(token, session, all.isEmpty() ? Set.of() : evict(username, all, session.id()));
        } catch (RuntimeException e) {
            redis.cleanUpLater(() -> revoke(username, token));
            throw e;
        }
    }

    /**
     * Returns a new token in place of {@code caller}'s, or null if that is no longer valid. Of several concurrent calls, one
     * succeeds. The new token is stored first and returned last: a crash in between leaves the client its old one. If deleting
     * the old one fails, nothing is returned either.
     */
    @Nullable
    Issued replace(Caller caller, Client client) {
        Session old = session(caller);
        Session session = old == null ? Session.begin(client, now(), ttl) : old.renew(client, now(), ttl);
        String token = storage.newToken();
        // indexed before the old one is deleted: while a session is alive, a revocation always finds an entry of it
        write(token, caller.username(), session);
        try {
            if (revoke(caller.username(), caller.token())) {
                return new Issued(token, session, Set.of());
            }
        } catch (RuntimeException e) {
            redis.cleanUpLater(() -> revoke(caller.username(), token));
            throw e;
        }
        redis.cleanUp(() -> revoke(caller.username(), token));
        return null;
    }

    /** Returns whether the token was valid. */
    boolean revoke(String username, String token) {
        String suffix = storage.suffix(token);
        boolean live = redis.del(key(suffix));
        index.remove(username, List.of(suffix));
        return live;
    }

    /** The live ones, newest first. Entries that have outlived their token are removed. */
    List<Session> sessions(String username) {
        Map<String, Session> all = index.all(username);
        all.values().removeIf(Session.UNREADABLE::equals);
        Set<String> live =
                redis.existing(all.keySet().stream().map(TokenStore::key).toList());
        List<String> dead = all.keySet().stream()
                .filter(suffix -> !live.contains(key(suffix)))
                .toList();
        index.remove(username, dead);
        dead.forEach(all::remove);
        Map<String, Session> byId = all.values().stream() // in the midst of a refresh, a session has two entries
                .collect(Collectors.toMap(Session::id, session -> session, (one, _) -> one));
        return byId.values().stream().sorted(NEWEST_FIRST).toList();
    }

    /** Ends all sessions of a user, and returns the ids of those that were alive. */
    Set<String> revokeAll(String username) {
        return revoke(username, (_, _) -> true);
    }

    /** Ends one session, and returns its id if it was alive. */
    Set<String> revokeSession(String username, String id) {
        return revoke(username, (_, session) -> session.id().equals(id));
    }

    /**
     * Ends all sessions of the caller but the current one. That one is ended last, by {@link #revokeOwn}: until then, a request
     * that has failed can be repeated.
     */
    Set<String> revokeOthers(Caller caller) {
        String own = storage.suffix(caller.token());
        return revoke(caller.username(), (suffix, _) -> !suffix.equals(own));
    }

    /**
     * Ends the caller's current session. If a concurrent refresh was faster, its new token is ended too.
     *
     * @param except a token that stays; null if none does
     */
    Set<String> revokeOwn(Caller caller, @Nullable String except) {
        Session own = session(caller);
        if (revoke(caller.username(), caller.token())) {
            return own == null ? Set.of() : Set.of(own.id());
        }
        String kept = except == null ? "" : storage.suffix(except);
        return revoke(caller.username(), (suffix, _) -> !suffix.equals(kept));
    }

    // Until the index has no others: a refresh in flight, which has written its new token but not yet deleted the
    // old one, does not escape. An entry that cannot be removed is not ended twice.
    private Set<String> revoke(String username, BiPredicate<String, Session> which) {
        Set<String> ids = new HashSet<>();
        Set<String> ended = new HashSet<>();
        return Attempts.repeat(MAX_ROUNDS, () -> {
            Map<String, Session> found = index.all(username);
            found.entrySet()
                    .removeIf(entry -> ended.contains(entry.getKey()) || !which.test(entry.getKey(), entry.getValue()));
            if (found.isEmpty()) {
                return ids;
            }
            ids.addAll(end(username, found));
            ended.addAll(found.keySet());
            return null;
        });
    }

    // As many as are too many: those whose token has expired, then the oldest. Never the one just
    // opened, though another instance's clock be ahead.
    private Set<String> evict(String username, Map<String, Session> all, String opened) {
        Instant now = now();
        List<String> others = all.values().stream()
                .filter(session -> !session.id().equals(opened))
                .sorted(Comparator.comparing(
                                (Session session) -> session.expiresDate().isAfter(now))
                        .thenComparing(NEWEST_FIRST.reversed()))
                .map(Session::id)
                .distinct()
                .toList();
        List<String> doomed = others.subList(0, Math.max(0, others.size() + 1 - maxSessions));
        all.values().removeIf(session -> !doomed.contains(session.id()));
        Set<String> ended = end(username, all);
        boolean renewed = all.values().stream()
                .anyMatch(session -> session.expiresDate().isAfter(now) && !ended.contains(session.id()));
        if (renewed) { // by a refresh in flight: it has another token by now
            ended.addAll(revoke(username, (_, session) -> doomed.contains(session.id())));
        }
        return ended;
    }

    // needs no entry to be readable: the field's name is the key
    private Set<String> end(String username, Map<String, Session> sessions) {
        Set<String> ended = new HashSet<>();
        sessions.forEach((suffix, session) -> {
            boolean live = redis.del(key(suffix));
            if (session.equals(Session.UNREADABLE)) {
                LOG.log(System.Logger.Level.WARNING, "removed an unreadable session entry", "username", username);
            } else if (live) {
                ended.add(session.id());
            }
        });
        index.remove(username, sessions.keySet());
        return ended;
    }

    private Map<String, Session> write(String token, String username, Session session) {
        String suffix = storage.suffix(token);
        try {
            redis.set(key(suffix), username, ttl);
            return index.add(username, suffix, session, ttl, maxSessions);
        } catch (RuntimeException e) {
            redis.cleanUpLater(() -> redis.del(key(suffix)));
            throw e;
        }
    }

    private Instant now() {
        return clock.instant().truncatedTo(ChronoUnit.MILLIS);
    }

    private static String key(String suffix) {
        return "tokens:" + suffix;
    }
}
