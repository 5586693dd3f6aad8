package dev.latchkey.testing;

import static dev.latchkey.testing.Operation.Effect.ACCEPTS_ANY_TOKEN;
import static dev.latchkey.testing.Operation.Effect.CHANGES_TODO;
import static dev.latchkey.testing.Operation.Effect.CREATES_TODO;
import static dev.latchkey.testing.Operation.Effect.CREATES_USER;
import static dev.latchkey.testing.Operation.Effect.DELETES_ALL_TODOS;
import static dev.latchkey.testing.Operation.Effect.DELETES_TODO;
import static dev.latchkey.testing.Operation.Effect.DELETES_USER;
import static dev.latchkey.testing.Operation.Effect.DISABLES_LOGIN;
import static dev.latchkey.testing.Operation.Effect.ENDS_ALL_SESSIONS;
import static dev.latchkey.testing.Operation.Effect.FAILS;
import static dev.latchkey.testing.Operation.Effect.ISSUES_TOKEN;
import static dev.latchkey.testing.Operation.Effect.NEEDS_NO_TOKEN;
import static dev.latchkey.testing.Operation.Effect.ROTATES_TOKEN;
import static dev.latchkey.testing.Operation.Effect.SETS_PASSWORD;
import static dev.latchkey.testing.Operation.Effect.STARTS_SESSION;
import static dev.latchkey.testing.Operation.Effect.VERIFIES_PASSWORD;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What {@code security.md} promises about concurrent requests. The rules are the same for all requests. */
record RaceRules(TestApp app, Run run) {
    private static final int RESERVATION_SECONDS = 60;
    private static final Set<Integer> NOTHING_LEFT_TO_DO = Set.of(401, 404, 409);

    /** @throws AssertionError if a rule is broken */
    void check() {
        run.requests().forEach(this::checkResponse);
        run.requests().forEach(this::checkAfterRevocation);
        for (int session = 0; session < run.before().sessions().size(); session++) {
            checkSession(session);
        }
        run.requests().forEach(this::checkNewSession);
        checkTokens();
        checkTodos();
        checkKeys();
        checkPasswords(); // last, because it logs in
    }

    private void require(boolean holds, String rule) {
        if (!holds) {
            throw new AssertionError(rule + ": " + run);
        }
    }

    private void checkResponse(Exchange request) {
        require(request.status() != 500, "no request gets a 500");
        require(!request.has(FAILS) || !request.succeeded(), "a wrong password does not log in");
        boolean isDone = request.succeeded() || NOTHING_LEFT_TO_DO.contains(request.status());
        require(isDone || !request.repeated(), "a repeated request succeeds, or is told that nothing is left to do");
        boolean mayFail = run.isFaulty() || request.repeated() || request.has(FAILS);
        boolean isPrevented = run.others(request).anyMatch(other -> other.succeeded() && run.prevents(other, request));
        require(
                mayFail || isPrevented || request.succeeded(),
                "a request only fails because another one has succeeded");
    }

    private void checkAfterRevocation(Exchange request) {
        int session = request.call().session();
        boolean isRevoked = run.others(request)
                .filter(other -> other.succeeded() && run.isBefore(other, request))
                .anyMatch(other -> other.endsSession(session) || run.mayRotate(other, session));
        require(
                !isRevoked || request.has(NEEDS_NO_TOKEN) || !request.acceptsToken(),
                "a token is refused once the response to its revocation has been sent");
    }

    private void checkSession(int session) {
        List<Exchange> refreshes = run.requests().stream()
                .filter(request -> run.mayRotate(request, session) && request.succeeded())
                .toList();
        require(refreshes.size() <= 1, "of several refreshes of one token, at most one succeeds");
        String old = run.before().sessions().get(session).token();
        require(refreshes.isEmpty() || !run.isValid(old), "a refresh has revoked the old token");
        // A revocation by a client does not say whether the token was valid, or had been rotated.
        boolean isEnded = run.any(request -> request.endsSession(session)
                && run.hasEffects(request)
                && (refreshes.isEmpty() || !request.has(ACCEPTS_ANY_TOKEN)));
        boolean mayBeEnded = run.any(
                request -> run.mayEnd(request, session) || (run.mayRotate(request, session) && !request.succeeded()));
        checkToken(refreshes.isEmpty() ? old : refreshes.getFirst().newToken(), isEnded, mayBeEnded);
    }

    private void checkNewSession(Exchange request) {
        if (request.newToken() == null || request.has(ROTATES_TOKEN)) {
            return;
        }
        boolean isLogin = request.has(STARTS_SESSION);
        boolean isRemoved = run.has(DELETES_USER) || run.has(DISABLES_LOGIN);
        boolean isOutdated = isLogin
                && (request.has(VERIFIES_PASSWORD)
                        ? run.has(SETS_PASSWORD) || isRemoved
                        : isRemoved && !run.mayHave(SETS_PASSWORD));
        // A second password change fails, and then ends no session. A login beside a password change evicts others. Two
        // logins can evict the session with the new password, or one if a fault has left an entry in the index.
        boolean isCounted = run.any(each -> each.has(STARTS_SESSION) && each.repeated()); // as a second session
        int entries = run.startedSessions() + (run.isFaulty() && !isCounted ? 1 : 0);
        boolean isCrowded = isLogin || entries >= run.before().maxSessions();
        boolean mayBeEnded = run.others(request)
                .anyMatch(other -> (other.has(ENDS_ALL_SESSIONS)
                                && other.mayHaveSucceeded()
                                && other.call().operation() != request.call().operation())
                        || (isCrowded && run.mayEvict(other)));
        checkToken(request.newToken(), isOutdated, mayBeEnded);
    }

    private void checkToken(@Nullable String token, boolean isEnded, boolean mayBeEnded) {
        require(
                !isEnded || !run.isValid(token),
                "a session that was ended, or whose password was changed, has no token");
        require(mayBeEnded || run.isValid(token), "a session that no request has ended has a valid token");
    }

    private void checkTokens() {
        Set<String> known = new HashSet<>(run.validKeys());
        known.removeAll(run.undisclosedKeys());
        int allowed = run.any(request -> request.fault() == Fault.GONE && request.has(ISSUES_TOKEN)) ? 1 : 0;
        require(
                run.undisclosedKeys().size() <= allowed,
                "only a process that is gone leaves a token that no client knows");
        require(known.size() <= run.before().maxSessions(), "a user has at most the allowed number of sessions");
        require(run.indexedKeys().containsAll(known), "the index has all valid tokens that clients know");
        // The end of all sessions also deletes a token that a login has stored and will index.
        boolean mayLag = run.any(request -> request.call().operation() == Operation.END_ALL_SESSIONS);
        require(
                run.isFaulty() || mayLag || run.validKeys().containsAll(run.indexedKeys()),
                "the index has only valid tokens");
        boolean isRevoked =
                run.any(request -> request.repeated() && request.succeeded() && request.has(ENDS_ALL_SESSIONS));
        boolean isGone = Collections.disjoint(run.undisclosedKeys(), run.indexedKeys());
        require(!isRevoked || isGone, "a repeated request has revoked the token that no client got");
    }

    private void checkTodos() {
        Map<String, String> todos = run.redis().hash("todos:" + Races.NAME);
        String mine = todos.get(run.before().todoId());
        long created =
                todos.values().stream().filter(todo -> todo.contains("\"new\"")).count();
        boolean onlyLeftOver = mayLeaveTodo() && created == todos.size();
        require(
                !run.has(DELETES_ALL_TODOS) || todos.isEmpty() || onlyLeftOver,
                "neither a deleted account nor a new owner has the todos");
        boolean mayBeDeleted = run.mayHave(DELETES_ALL_TODOS);
        require(!run.has(CREATES_TODO) || mayBeDeleted || created > 0, "a todo that was created exists");
        require(!run.has(DELETES_TODO) || mine == null, "a todo that was deleted does not exist");
        mayBeDeleted |= run.mayHave(DELETES_TODO);
        require(mayBeDeleted || mine != null, "a todo that no request has deleted exists");
        for (Exchange request : run.requests()) {
            boolean isLost = request.has(CHANGES_TODO)
                    && request.succeeded()
                    && mine != null
                    && !mine.contains(request.call().patch().replaceAll("[{}]", ""));
            require(!isLost, "a change of a todo is not lost");
        }
    }

    // security.md says so. A process that has ended can neither remove its todo, nor delete the todos again.
    private boolean mayLeaveTodo() {
        return run.any(
                request -> request.fault() == Fault.GONE && (request.has(CREATES_TODO) || request.has(DELETES_USER)));
    }

    private void checkKeys() {
        Set<String> expected = new TreeSet<>(run.validKeys());
        expected.addAll(Set.of(Races.USER, "sessions:" + Races.NAME, "todos:" + Races.NAME));
        boolean isDeleted = run.has(DELETES_USER) && !run.mayHave(CREATES_USER);
        for (String key : run.redis().keys()) {
            require(expected.contains(key), "no other key remains: " + key);
            boolean expires = run.redis().ttl(key) > 0;
            boolean isTodos = key.startsWith("todos:");
            require(expires || isTodos || key.equals(Races.USER), "the key expires: " + key);
            boolean mayRemain = run.isFaulty() && (expires || (isTodos && mayLeaveTodo()));
            require(!isDeleted || mayRemain, "a deletion leaves no key, or only until its end after a fault: " + key);
        }
        long ttl = run.redis().ttl(Races.USER);
        if (run.isLocked() && (ttl > 0 || !run.mayHave(DISABLES_LOGIN))) {
            require(ttl > 0 && ttl <= RESERVATION_SECONDS, "a reservation ends after 60 s");
            boolean mayRemain = run.any(request ->
                    request.fault() != Fault.NONE && (request.mayHave(CREATES_USER) || request.mayHave(DELETES_USER)));
            require(mayRemain, "only a registration or deletion that met a fault leaves a reservation");
        }
    }

    // Logs in with each password that was involved, if the user record has changed.
    private void checkPasswords() {
        Set<String> passwords = new TreeSet<>(Set.of(TestApp.PASSWORD));
        run.requests().stream()
                .filter(request -> request.has(SETS_PASSWORD))
                .forEach(request -> passwords.add(request.call().newPassword()));
        String record = run.before().redis().string(Races.USER);
        String before = record == null ? Run.ABSENT : TestApp.PASSWORD;
        String locked = run.isLocked() && run.redis().ttl(Races.USER) == 0 ? Run.DISABLED : Run.ABSENT;
        boolean isUnchanged = Objects.equals(record, run.redis().string(Races.USER));
        passwords.removeIf(
                password -> isUnchanged || app.login(Races.NAME, password).status() != 200);
        require(passwords.size() <= 1, "only one password logs in");
        String password = isUnchanged ? before : passwords.stream().findFirst().orElse(locked);
        List<Exchange> succeeded = run.requests().stream()
                .flatMap(request -> request.repeated() ? Stream.of(request, request.firstTry()) : Stream.of(request))
                .filter(Exchange::mayHaveSucceeded)
                .toList();
        require(
                isPossible(before, password, succeeded),
                "one after the other, the requests leave the user as it is now");
    }

    // Reports whether the requests can succeed in some order and leave this password. A request whose client does not
    // know its result may have had no effect.
    private boolean isPossible(String before, String after, List<Exchange> requests) {
        if (before.equals(after) && requests.stream().noneMatch(run::hasEffects)) {
            return true;
        }
        for (int i = 0; i < requests.size(); i++) {
            String between = run.passwordAfter(requests.get(i), before);
            List<Exchange> rest = new ArrayList<>(requests);
            rest.remove(i);
            if (between != null && isPossible(between, after, rest)) {
                return true;
            }
        }
        return false;
    }
}
