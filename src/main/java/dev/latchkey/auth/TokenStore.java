package dev.latchkey.auth;

import dev.latchkey.http.Caller;
import dev.latchkey.http.Client;
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
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The keys {@code tokens:{suffix}}: the value is the username, the TTL is the token's. A token is valid as long as its key
 * is there; nothing is cached, so that a revoked one is refused from the next request on.
 */
public final class TokenStore {
    private static final Comparator<Session> NEWEST_FIRST = Comparator.comparing(Session::createdDate)
            .thenComparing(Session::id)
            .reversed();

    private final Redis redis;
    private final SessionIndex index;
    private final TokenStorage storage;
    private final Duration ttl;
    private final int maxSessions;
    private final InstantSource clock;

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

    /** Whose token it is; null where it is unknown, expired or revoked. One GET, or none where it cannot be a token. */
    @Nullable
    String find(String token) {
        return storage.isWellFormed(token) ? redis.get(key(storage.suffix(token))) : null;
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
        return new Issued(token, session, all.isEmpty() ? Set.of() : evict(username, all, session.id()));
    }

    /**
     * A new token in place of {@code caller}'s; null where that was no longer live. Of any number of calls at once, one
     * gets a token. The new one is written first and disclosed last: a crash between the two leaves the client its old
     * one, and a token nobody knows. Should deleting the old fail, nothing is disclosed either.
     */
    @Nullable
    Issued replace(Caller caller, Client client) {
        Session old = session(caller);
        Session session = old == null ? Session.begin(client, now(), ttl) : old.renew(client, now(), ttl);
        String token = storage.newToken();
        // indexed before the old one goes: of a session that is alive, whoever ends all finds an entry at any time
        write(token, caller.username(), session);
        if (revoke(caller.username(), caller.token())) {
            return new Issued(token, session, Set.of());
        }
        revoke(caller.username(), token);
        return null;
    }

    /** False where it was not live. */
    boolean revoke(String username, String token) {
        String suffix = storage.suffix(token);
        boolean live = redis.del(key(suffix));
        index.remove(username, List.of(suffix));
        return live;
    }

    /** The live ones, newest first. Entries that have outlived their token are removed. */
    List<Session> sessions(String username) {
        Map<String, Session> all = index.all(username);
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

    /**
     * Ends sessions, until the index has none of them left: a refresh in flight, which has written its new token but not
     * yet deleted the old, does not escape.
     *
     * @return the ids of those that were alive
     */
    Set<String> revokeAll(String username, Predicate<Session> which) {
        Set<String> revoked = new HashSet<>();
        while (true) {
            Map<String, Session> found = index.all(username);
            found.values().removeIf(which.negate());
            if (found.isEmpty()) {
                return revoked;
            }
            revoked.addAll(end(username, found));
        }
    }

    /** Ends all sessions of the caller, the caller's own included; the ids of those that were alive. */
    Set<String> revokeAll(Caller caller) {
        Set<String> revoked = revokeAll(caller.username(), _ -> true);
        revoke(caller.username(), caller.token()); // another program may have written it, without an index entry
        return revoked;
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
            ended.addAll(revokeAll(username, session -> doomed.contains(session.id())));
        }
        return ended;
    }

    private Set<String> end(String username, Map<String, Session> sessions) {
        Set<String> ended = new HashSet<>();
        sessions.forEach((suffix, session) -> {
            if (redis.del(key(suffix))) {
                ended.add(session.id());
            }
        });
        index.remove(username, sessions.keySet());
        return ended;
    }

    private Map<String, Session> write(String token, String username, Session session) {
        String suffix = storage.suffix(token);
        redis.set(key(suffix), username, ttl);
        return index.add(username, suffix, session, ttl, maxSessions);
    }

    private Instant now() {
        return clock.instant().truncatedTo(ChronoUnit.MILLIS);
    }

    private static String key(String suffix) {
        return "tokens:" + suffix;
    }
}
