package dev.latchkey.testing;

import dev.latchkey.testing.Interleaver.Fault;
import dev.latchkey.testing.Races.Call;
import dev.latchkey.testing.Races.Operation;
import dev.latchkey.testing.Races.Run;
import dev.latchkey.testing.TestClient.Answer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What {@code security.md} promises about concurrent requests, for the final state of a run. The rules are the same for
 * all requests.
 *
 * <p>A request with a successful response must have had its effect. A request that was interrupted, so that its client
 * does not know, may have had it or not. All other requests must not have had it.
 */
final class RaceRules {
    private static final int RESERVATION_SECONDS = 60;
    private static final Operation[] LOGINS = {Operation.LOGIN, Operation.LOGIN_THAT_UPGRADES_THE_HASH};

    /**
     * The state before a run.
     *
     * @param tokens of the two sessions
     * @param todoPath of the user's todo
     * @param record of the user, as JSON; empty if there is none
     * @param state of Redis
     */
    record Before(
            List<String> tokens,
            List<String> sessionIds,
            String todoPath,
            String record,
            int maxSessions,
            RedisState state) {}

    /**
     * A request and its response.
     *
     * @param fault that one of its commands met
     * @param repeated whether the response is the one to the client's second try
     */
    record Done(int number, Call call, Answer answer, Fault fault, boolean repeated) {
        Operation operation() {
            return call.operation();
        }

        private int status() {
            return fault == Fault.GONE && !repeated ? 0 : answer.status();
        }

        /** Reports whether the client does not know if its request had its effect. */
        boolean isInterrupted() {
            return !repeated && (status() == 0 || status() == 503);
        }

        boolean succeeded(Operation... operations) {
            return status() >= 200 && status() < 300 && is(operations);
        }

        boolean mayHaveSucceeded(Operation... operations) {
            return succeeded(operations) || ((isInterrupted() || repeated) && is(operations));
        }

        private boolean is(Operation... operations) {
            return operations.length == 0 || Set.of(operations).contains(operation());
        }

        String token() {
            return succeeded() && answer.text().startsWith("{\"token\"") ? answer.field("token") : "";
        }
    }

    /** A run has broken a rule. */
    public static final class Violation extends AssertionError {
        private static final long serialVersionUID = 1;

        Violation(String rule) {
            super(rule);
        }
    }

    private final TestApp app;
    private final Run run;
    private final RedisState state;
    private final List<Done> requests;
    private final Before before;
    private final Set<String> live;
    private final Set<String> indexed = new HashSet<>();
    private final Set<String> known = new HashSet<>();
    private final boolean deleted;
    private final boolean registered;
    private final boolean changed;

    /** @param state of Redis after the run */
    RaceRules(TestApp app, Run run, RedisState state) {
        this.app = app;
        this.run = run;
        this.state = state;
        requests = run.requests();
        before = run.before();
        live = state.keys().stream().filter(key -> key.startsWith("tokens:")).collect(Collectors.toSet());
        state.hash("sessions:" + Races.NAME).keySet().forEach(suffix -> indexed.add("tokens:" + suffix));
        before.tokens().forEach(token -> known.add(app.key(token)));
        requests.stream()
                .map(Done::token)
                .filter(token -> !token.isEmpty())
                .forEach(token -> known.add(app.key(token)));
        deleted = any(Operation.DELETE_ACCOUNT);
        registered = any(Operation.REGISTER);
        changed = any(Operation.CHANGE_PASSWORD);
    }

    private boolean any(Operation operation) {
        return requests.stream().anyMatch(done -> done.is(operation) && isCompleted(done));
    }

    private boolean mayHave(Operation... operations) {
        return requests.stream().anyMatch(done -> done.mayHaveSucceeded(operations));
    }

    private boolean isCompleted(Done done) {
        // security.md promises this under "Repeated requests".
        boolean repeatedInVain = done.is(Operation.LOGOUT, Operation.CHANGE_PASSWORD, Operation.DELETE_ACCOUNT)
                && done.repeated()
                && done.status() == 401
                && requests.stream()
                        .filter(other -> other.number() != done.number())
                        .noneMatch(other -> mayRevoke(other, done.call().session()));
        return done.succeeded() || repeatedInVain;
    }

    private boolean mayRevoke(Done done, int session) {
        boolean mayRotate = done.call().session() == session && done.mayHaveSucceeded(Operation.REFRESH);
        return mayRotate || mayEnd(done, session);
    }

    private void require(boolean holds, String rule) {
        if (!holds) {
            throw new Violation(rule + ": " + outcome());
        }
    }

    /** @throws Violation if a rule is broken, except those that need a login */
    void check(Map<String, Set<String>> remains) {
        requests.forEach(this::response);
        for (int session = 0; session < before.tokens().size(); session++) {
            session(session);
        }
        requests.stream().filter(done -> !done.token().isEmpty()).forEach(this::newToken);
        tokens();
        todos();
        keys();
        if (run.faulted()) {
            remains(remains);
        }
    }

    /** Describes the responses and what Redis contains, without what differs between two runs of the same order. */
    String outcome() {
        Map<String, String> names = new HashMap<>();
        for (int i = 0; i < before.tokens().size(); i++) {
            names.put(app.key(before.tokens().get(i)), "token " + i);
        }
        requests.forEach(done -> names.put(app.key(done.token()), "new token " + done.number()));
        String stored = state.string(Races.USER);
        String todos = state.hash("todos:" + Races.NAME).values().stream()
                .map(todo -> todo.replaceAll("\"(id|[a-z]+Date)\":\"[^\"]*\",?", ""))
                .sorted()
                .toList()
                .toString();
        return requests.stream().map(Done::status).toList()
                + (requests.stream().anyMatch(Done::repeated) ? " after a repetition" : "")
                + ", valid " + sorted(live, names)
                + ", indexed " + sorted(indexed, names)
                + ", todos " + todos
                + ", record "
                + (stored == null ? "absent" : stored.equals(before.record()) ? "unchanged" : "changed");
    }

    private static List<String> sorted(Set<String> keys, Map<String, String> names) {
        return keys.stream()
                .map(key -> names.getOrDefault(key, "unknown token"))
                .sorted()
                .toList();
    }

    private void response(Done done) {
        require(done.status() != 500, "no request gets a 500");
        boolean refused = Set.of(401, 404, 409).contains(done.status());
        require(
                !done.repeated() || done.succeeded() || refused,
                "a repeated request succeeds, or is told that there is nothing left to do");
    }

    // A session from before: at most the newest token that was returned is valid. It is not if the session was ended,
    // and it is if nobody may have ended it.
    private void session(int session) {
        List<Done> refreshes = requests.stream()
                .filter(done -> done.call().session() == session && done.succeeded(Operation.REFRESH))
                .toList();
        require(refreshes.size() <= 1, "of several refreshes of one token, at most one succeeds");
        String old = before.tokens().get(session);
        String newest = refreshes.isEmpty() ? old : refreshes.getFirst().token();
        require(newest.equals(old) || !isLive(old), "a refresh has revoked the old token");
        boolean ended = requests.stream().anyMatch(done -> ends(done, session));
        require(!ended || !isLive(newest), "a session that was ended has no valid token");
        boolean mayEnd = requests.stream().anyMatch(done -> mayEnd(done, session));
        require(mayEnd || isLive(newest), "a session that nobody has ended has a valid token");
    }

    private boolean isLive(String token) {
        return live.contains(app.key(token));
    }

    private boolean ends(Done done, int session) {
        boolean own = done.call().session() == session;
        return switch (done.operation()) {
            case LOGOUT -> own && isCompleted(done);
            case END_THE_OTHER_SESSION -> !own && done.succeeded();
            case LOGOUT_EVERYWHERE, REGISTER -> done.succeeded();
            case CHANGE_PASSWORD, DELETE_ACCOUNT -> isCompleted(done);
            default -> false;
        };
    }

    private boolean mayEnd(Done done, int session) {
        boolean own = done.call().session() == session;
        return switch (done.operation()) {
            case LOGOUT -> own && done.mayHaveSucceeded();
            case REFRESH -> own && done.mayHaveSucceeded() && !done.succeeded();
            case END_THE_OTHER_SESSION -> !own && done.mayHaveSucceeded();
            case LOGOUT_EVERYWHERE, REGISTER, CHANGE_PASSWORD, DELETE_ACCOUNT -> done.mayHaveSucceeded();
            default -> mayEvict(done);
        };
    }

    // A login ends the oldest session if there are too many.
    private boolean mayEvict(Done done) {
        // A login that was repeated may have started two sessions.
        long logins = requests.stream()
                .filter(this::mayHaveLoggedIn)
                .mapToInt(login -> login.repeated() ? 2 : 1)
                .sum();
        return mayHaveLoggedIn(done) && before.tokens().size() + logins > before.maxSessions();
    }

    private boolean mayHaveLoggedIn(Done done) {
        // A login may end a session, and then find that its password is no longer valid.
        return done.mayHaveSucceeded(LOGINS) || (run.faulted() && done.is(LOGINS));
    }

    private void newToken(Done done) {
        boolean mayBeRevoked = mayHave(Operation.LOGOUT_EVERYWHERE, Operation.DELETE_ACCOUNT);
        switch (done.operation()) {
            case LOGIN, LOGIN_THAT_UPGRADES_THE_HASH -> {
                require(
                        !(changed || deleted) || !isLive(done.token()),
                        "a login with a password that is no longer valid leaves no valid token");
                boolean mayEnd = mayBeRevoked
                        || mayHave(Operation.CHANGE_PASSWORD)
                        || requests.stream().anyMatch(other -> other.number() != done.number() && mayEvict(other));
                require(mayEnd || isLive(done.token()), "a new session has a valid token");
            }
            case CHANGE_PASSWORD ->
                require(mayBeRevoked || isLive(done.token()), "the token of a password change is valid");
            default -> {} // see session
        }
    }

    private void tokens() {
        Set<String> undisclosed = difference(live, known);
        boolean mayBeUndisclosed = requests.stream()
                .anyMatch(done -> done.fault() == Fault.GONE
                        && (done.is(LOGINS) || done.is(Operation.REFRESH, Operation.CHANGE_PASSWORD)));
        require(
                undisclosed.size() <= (mayBeUndisclosed ? 1 : 0),
                "no token is valid that no client knows, except one of a process that is gone");
        require(
                live.size() - undisclosed.size() <= before.maxSessions(),
                "a user has at most the allowed number of sessions");
        require(indexed.containsAll(difference(live, undisclosed)), "the index has all valid tokens that clients know");
        require(run.faulted() || live.containsAll(indexed), "the index has only valid tokens");
        boolean repeatedRevocation = requests.stream()
                .anyMatch(done -> done.repeated()
                        && done.succeeded(
                                Operation.LOGOUT_EVERYWHERE, Operation.CHANGE_PASSWORD, Operation.DELETE_ACCOUNT));
        undisclosed.retainAll(indexed);
        require(
                !repeatedRevocation || undisclosed.isEmpty(),
                "a repeated request has revoked the token that no client got");
    }

    private static Set<String> difference(Set<String> one, Set<String> other) {
        Set<String> difference = new HashSet<>(one);
        difference.removeAll(other);
        return difference;
    }

    private void todos() {
        Map<String, String> todos = state.hash("todos:" + Races.NAME);
        String mine = todos.get(before.todoPath().substring(before.todoPath().lastIndexOf('/') + 1));
        boolean gone = deleted || registered;
        boolean mayBeGone = mayHave(Operation.DELETE_ACCOUNT, Operation.REGISTER);
        boolean onlyLeftOver =
                mayLeaveTodo() && mine == null && todos.values().stream().allMatch(todo -> todo.contains("\"new\""));
        require(!gone || todos.isEmpty() || onlyLeftOver, "neither a deleted account nor a new owner has the todos");
        require(
                mayBeGone
                        || !any(Operation.CREATE_TODO)
                        || todos.values().stream().anyMatch(todo -> todo.contains("\"new\"")),
                "a todo that was created exists");
        require(!any(Operation.DELETE_TODO) || mine == null, "a todo that was deleted does not exist");
        require(mayBeGone || mayHave(Operation.DELETE_TODO) || mine != null, "a todo that nobody has deleted exists");
        for (Done done : requests) {
            if (mine != null && done.succeeded(Operation.PATCH_TODO)) {
                String change = done.number() == 0 ? "\"patched\"" : "\"complete\"";
                require(mine.contains(change), "a change of a todo is not lost");
            }
        }
    }

    // security.md says so. A process that has ended can neither remove its todo, nor delete the todos again.
    private boolean mayLeaveTodo() {
        return requests.stream()
                .anyMatch(
                        done -> done.fault() == Fault.GONE && done.is(Operation.CREATE_TODO, Operation.DELETE_ACCOUNT));
    }

    private void keys() {
        Set<String> expected = new TreeSet<>(live);
        expected.addAll(Set.of(Races.USER, "sessions:" + Races.NAME, "todos:" + Races.NAME));
        for (String key : state.keys()) {
            require(expected.contains(key), "no other key remains: " + key);
            boolean expires = state.ttl(key) > 0;
            switch (key.substring(0, key.indexOf(':'))) {
                case "users" ->
                    require(
                            !isReservation() || (expires && state.ttl(key) <= RESERVATION_SECONDS),
                            "a reservation ends after 60 s");
                case "todos" -> {}
                default -> require(expires, "the key expires: " + key);
            }
            boolean mayRemain = expires || (key.startsWith("todos:") && mayLeaveTodo());
            require(
                    !deleted || registered || (run.faulted() && mayRemain),
                    "a deleted account leaves no key, or after a fault none without an end: " + key);
        }
    }

    private boolean isReservation() {
        String record = state.string(Races.USER);
        return record != null && record.contains("\"passwordHash\":\"\"");
    }

    private void remains(Map<String, Set<String>> remains) {
        Done interrupted = requests.stream()
                .filter(done -> done.fault() != Fault.NONE)
                .findFirst()
                .orElseThrow();
        Set<String> found = new TreeSet<>();
        for (String key : difference(live, known)) {
            found.add(
                    indexed.contains(key)
                            ? "token that no client knows"
                            : "token that no client knows, not in the index");
        }
        if (!live.containsAll(indexed)) {
            found.add("entry in the index without a token");
        }
        if (isReservation()) {
            found.add("reservation");
        }
        boolean noUser = state.string(Races.USER) == null || isReservation();
        if (noUser && !before.record().isEmpty() && state.keys().contains("todos:" + Races.NAME)) {
            found.add("todos without a user");
        }
        if (noUser && !before.record().isEmpty() && !live.isEmpty()) {
            found.add("valid tokens without a user");
        }
        String state = interrupted.repeated() ? ", repeated" : "";
        remains.computeIfAbsent(interrupted.operation() + ", " + interrupted.fault() + state, _ -> new TreeSet<>())
                .addAll(found);
    }

    /**
     * Logs in with each password that was involved, if the record of the user has changed.
     *
     * @throws Violation if others than the current one are correct, or if the user cannot log in
     */
    void checkPasswords() {
        if (before.record().equals(state.string(Races.USER))) {
            require(!changed && !deleted && !registered, "a request that has succeeded has changed the record");
            return;
        }
        long changes = requests.stream()
                .filter(done -> done.succeeded(Operation.CHANGE_PASSWORD))
                .count();
        require(changes <= 1, "of several password changes, at most one succeeds");
        Set<String> tried = new TreeSet<>(Set.of(TestApp.PASSWORD, Races.NEW_OWNERS_PASSWORD));
        Set<String> old = before.record().isEmpty() ? Set.of() : Set.of(TestApp.PASSWORD);
        Set<Set<String>> possible = new HashSet<>(Set.of(old));
        for (Done done : requests) {
            if (done.operation() == Operation.CHANGE_PASSWORD) {
                String password = Races.newPassword(done.number());
                tried.add(password);
                boolean last = done.succeeded() || (changes == 0 && isCompleted(done));
                apply(possible, Set.of(password), last, done.mayHaveSucceeded() && changes == 0);
            }
        }
        apply(possible, Set.of(), deleted, mayHave(Operation.DELETE_ACCOUNT));
        apply(possible, Set.of(Races.NEW_OWNERS_PASSWORD), registered, mayHave(Operation.REGISTER));
        tried.removeIf(password -> app.login(Races.NAME, password).status() != 200);
        require(possible.contains(tried), "exactly the current password logs in, not " + tried);
    }

    private static void apply(
            Set<Set<String>> possible, Set<String> correct, boolean happened, boolean mayHaveHappened) {
        if (happened) {
            possible.clear();
        }
        if (happened || mayHaveHappened) {
            possible.add(correct);
        }
    }
}
