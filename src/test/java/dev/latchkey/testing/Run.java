package dev.latchkey.testing;

import static dev.latchkey.testing.Operation.Effect.CHANGES_TODO;
import static dev.latchkey.testing.Operation.Effect.DELETES_TODO;
import static dev.latchkey.testing.Operation.Effect.ENDS_OTHER_SESSION;
import static dev.latchkey.testing.Operation.Effect.ROTATES_TOKEN;
import static dev.latchkey.testing.Operation.Effect.STARTS_SESSION;

import dev.latchkey.testing.Operation.Effect;
import dev.latchkey.testing.Races.Before;
import dev.latchkey.testing.Races.Session;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A run of a race that has ended: the effects of its requests, and what Redis contains.
 *
 * <p>A request with a successful response has had its effects. A request that was interrupted, so that its client does
 * not know, may have had them or not. All other requests have not had them.
 *
 * @param order as {@link Scheduler#replay} reads it
 * @param commands of each request
 * @param redis the state after the run
 */
public record Run(
        TestApp app,
        Before before,
        String order,
        List<List<RedisCommand>> commands,
        List<Exchange> requests,
        RedisState redis) {
    /** In place of a password: there is no user. */
    static final String ABSENT = "absent";
    /** In place of a password: the user cannot log in. */
    static final String DISABLED = "disabled";

    /** Returns the keys of all valid tokens. */
    Set<String> validKeys() {
        return redis.keys().stream().filter(key -> key.startsWith("tokens:")).collect(Collectors.toSet());
    }

    /** Returns the keys of the tokens in the session index. */
    Set<String> indexedKeys() {
        return redis.hash("sessions:" + Races.NAME).keySet().stream()
                .map(suffix -> "tokens:" + suffix)
                .collect(Collectors.toSet());
    }

    /** Returns the keys of the valid tokens that no client knows. */
    Set<String> undisclosedKeys() {
        Set<String> keys = validKeys();
        keys.removeAll(tokenNames().keySet());
        return keys;
    }

    // Returns a name for the key of each token that a client knows.
    private Map<String, String> tokenNames() {
        Map<String, String> names = new HashMap<>();
        for (Session session : before.sessions()) {
            names.put(app.key(session.token()), "token " + names.size());
        }
        for (Exchange request : requests) {
            String token = request.newToken();
            if (token != null) {
                names.put(app.key(token), "new token " + request.call().number());
            }
        }
        return names;
    }

    boolean isValid(@Nullable String token) {
        return token != null && validKeys().contains(app.key(token));
    }

    /** Reports whether the user record has no password: the user is disabled, or if it has a TTL, the username reserved. */
    boolean isLocked() {
        String record = redis.string(Races.USER);
        return record != null && record.contains("\"passwordHash\":\"\"");
    }

    /** Reports whether a request had its response before another one sent its first command. */
    boolean isBefore(Exchange earlier, Exchange later) {
        return !earlier.repeated()
                && (later.repeated()
                        || Scheduler.isBefore(
                                order, earlier.call().number(), later.call().number()));
    }

    boolean any(Predicate<Exchange> condition) {
        return requests.stream().anyMatch(condition);
    }

    Stream<Exchange> others(Exchange request) {
        return requests.stream()
                .filter(other -> other.call().number() != request.call().number());
    }

    /** Reports whether a command met a fault. */
    boolean isFaulty() {
        return any(request -> request.fault() != Fault.NONE);
    }

    /** Reports whether any request has had an effect. */
    boolean has(Effect effect) {
        return any(request -> request.has(effect) && hasEffects(request));
    }

    /** Reports whether any request may have had an effect. */
    boolean mayHave(Effect effect) {
        return any(request -> request.mayHave(effect));
    }

    /** Reports whether a request has had its effects. */
    boolean hasEffects(Exchange request) {
        // If a repeated request finds its session ended, and no other request can have ended it, the first try has
        // succeeded. See "Repeated requests" in security.md.
        int session = request.call().session();
        boolean repeatedInVain = request.repeated() && request.status() == 401 && request.endsSession(session);
        return request.succeeded()
                || (repeatedInVain
                        && others(request).noneMatch(other -> mayRotate(other, session) || mayEnd(other, session)));
    }

    boolean mayRotate(Exchange request, int session) {
        return request.has(ROTATES_TOKEN) && request.call().session() == session && request.mayHaveSucceeded();
    }

    boolean mayEnd(Exchange request, int session) {
        return (request.endsSession(session) && request.mayHaveSucceeded()) || mayEvict(request);
    }

    /** Reports whether a request may have ended the oldest session, because there were too many. */
    boolean mayEvict(Exchange request) {
        boolean mayHaveStarted = request.has(STARTS_SESSION) && (request.mayHaveSucceeded() || isFaulty());
        return mayHaveStarted && before.sessions().size() + startedSessions() > before.maxSessions();
    }

    /** Returns how many sessions were started, some perhaps only until the login has found its password outdated. */
    int startedSessions() {
        return requests.stream()
                .filter(request -> request.has(STARTS_SESSION))
                .mapToInt(login -> login.repeated() ? 2 : 1) // the first try may have started one too
                .sum();
    }

    /** Reports whether a request fails if another one has succeeded before. */
    boolean prevents(Exchange other, Exchange request) {
        int session = request.call().session();
        boolean endsSession = mayEnd(other, session) || mayRotate(other, session);
        boolean endsOther = request.has(ENDS_OTHER_SESSION) && mayEnd(other, 1 - session);
        boolean changesTodo = request.has(CHANGES_TODO) || request.has(DELETES_TODO);
        return endsSession || endsOther || (changesTodo && other.has(DELETES_TODO));
    }

    /**
     * Returns the password after a request that succeeds, or null if it cannot succeed.
     *
     * @param password before it, or {@link #ABSENT} or {@link #DISABLED}
     */
    @Nullable
    String passwordAfter(Exchange request, String password) {
        boolean isOld = password.equals(TestApp.PASSWORD);
        boolean isAbsent = password.equals(ABSENT);
        String next = request.call().newPassword();
        return switch (request.call().operation()) {
            case REGISTER -> isAbsent ? next : null;
            case CHANGE_PASSWORD -> isOld || password.equals(next) ? next : null; // it may be completed
            case DELETE_ACCOUNT -> isOld || isAbsent ? ABSENT : null; // it may be completed
            case SET_PASSWORD -> next;
            case DISABLE -> isAbsent ? ABSENT : DISABLED;
            case DELETE -> ABSENT;
            default -> password;
        };
    }

    /** Describes the responses and what Redis contains, without what differs between two runs of the same order. */
    @Override
    public String toString() {
        String earlier = before.redis().string(Races.USER);
        String stored = redis.string(Races.USER);
        List<String> todos = redis.hash("todos:" + Races.NAME).values().stream()
                .map(todo -> todo.replaceAll("\"(id|[a-z]+Date)\":\"[^\"]*\",?", ""))
                .sorted()
                .toList();
        return requests.stream().map(Exchange::status).toList()
                + (any(Exchange::repeated) ? " after a repetition" : "")
                + ", valid " + names(validKeys())
                + ", indexed " + names(indexedKeys())
                + ", todos " + todos
                + ", record " + (stored == null ? "absent" : stored.equals(earlier) ? "unchanged" : "changed");
    }

    private List<String> names(Set<String> keys) {
        Map<String, String> names = tokenNames();
        return keys.stream()
                .map(key -> names.getOrDefault(key, "unknown token"))
                .sorted()
                .toList();
    }
}
