package dev.latchkey.testing;

import dev.latchkey.testing.Interleaver.Both;
import dev.latchkey.testing.Interleaver.Scheduler;
import dev.latchkey.testing.TestClient.Answer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Runs two concurrent requests of one user in given orders of their Redis commands, and checks after each run what
 * {@code security.md} promises. The rules are the same for all requests.
 *
 * <p>Before each run, Redis contains one user with a todo and two sessions, each of which has a token that a client
 * holds. For a registration, the record of that user is missing, as after a deletion that has failed half-way. If the
 * other request deletes the account, the record is there.
 */
public final class Races implements AutoCloseable {
    private static final String NAME = "alice";
    private static final String USER = "users:" + NAME;
    private static final String NEW_PASSWORD = "a new and better one";
    private static final String NEW_OWNERS_PASSWORD = "another user's password";
    private static final String TODO = "mine";
    private static final long TTL_MILLIS = 600_000;
    // Redis then returns the fields of a hash in the order in which they were set. Otherwise, the order in which a
    // revocation deletes several tokens would depend on their random text.
    private static final Map<String, String> IN_ORDER = Map.of("hash-max-listpack-value", "4096");

    /** A request. Those without a token ignore it. */
    public enum Operation {
        REGISTER,
        LOGIN,
        LOGIN_THAT_UPGRADES_THE_HASH,
        LOGIN_WITH_A_WRONG_PASSWORD,
        VERIFY,
        REFRESH,
        LOGOUT,
        LIST_SESSIONS,
        END_THE_OTHER_SESSION,
        LOGOUT_EVERYWHERE,
        CHANGE_PASSWORD,
        DELETE_ACCOUNT,
        CREATE_TODO,
        PATCH_TODO,
        DELETE_TODO
    }

    /**
     * Two concurrent requests. The first one uses the token of the first session, if it uses one.
     *
     * @param sameToken whether the second one uses that too, and not the token of the second session
     */
    public record Pair(Operation first, Operation second, boolean sameToken) {
        /** Returns all pairs. */
        public static List<Pair> all() {
            List<Pair> pairs = new ArrayList<>();
            for (Operation first : Operation.values()) {
                for (Operation second : Operation.values()) {
                    if (first.compareTo(second) <= 0) {
                        pairs.add(new Pair(first, second, false));
                        if (second.compareTo(Operation.VERIFY) >= 0) { // it uses a token
                            pairs.add(new Pair(first, second, true));
                        }
                    }
                }
            }
            return pairs;
        }

        /** Reports whether one of the two requests is {@code operation}. */
        boolean has(Operation operation) {
            return first == operation || second == operation;
        }
    }

    /** A run has broken a rule. */
    public static final class Violation extends AssertionError {
        private static final long serialVersionUID = 1;

        Violation(String rule) {
            super(rule);
        }
    }

    /**
     * A request and its response.
     *
     * @param number of the request, 0 or 1
     * @param session whose token it uses, 0 or 1
     */
    private record Done(int number, Operation operation, int session, Answer answer) {
        boolean succeeded(Operation... operations) {
            return answer.status() < 300
                    && (operations.length == 0 || Set.of(operations).contains(operation));
        }

        String token() {
            return answer.text().startsWith("{\"token\"") ? answer.field("token") : "";
        }
    }

    private final EmbeddedRedis redis = EmbeddedRedis.start(IN_ORDER);
    private final Interleaver interleaver = new Interleaver(redis.url());
    private final int maxSessions;
    private final TestApp app;
    private final TestApp first;
    private final TestApp second;
    private final String[] tokens = new String[2];
    private final String[] sessionIds = new String[2];
    private String todoPath = "";
    private String record = ""; // of the user, as JSON; empty if there is none
    private final Map<String, byte[]> state = new HashMap<>();

    /** @param maxSessions with 2, a login ends a session */
    public Races(String tokenStorage, int maxSessions) throws IOException {
        this.maxSessions = maxSessions;
        String[] settings = {"TOKEN_STORAGE", tokenStorage, "MAX_SESSIONS_PER_USER", Integer.toString(maxSessions)};
        app = TestApp.startOn(redis.url(), settings);
        first = TestApp.startOn(interleaver.firstUrl(), settings);
        second = TestApp.startOn(interleaver.secondUrl(), settings);
    }

    /** Prepares the state before the runs of a pair. */
    public void prepare(Pair pair) {
        app.redis().flushall();
        app.register(NAME);
        for (int i = 0; i < 2; i++) {
            tokens[i] = app.login(NAME, TestApp.PASSWORD).field("token");
            sessionIds[i] = app.get("/api/auth/sessions", tokens[i])
                    .json()
                    .at("/sessions/0/id")
                    .asString();
        }
        todoPath = app.send("POST", "/api/todos", tokens[0], "{\"name\":\"" + TODO + "\"}")
                .todoPath();
        if (pair.has(Operation.LOGIN_THAT_UPGRADES_THE_HASH)) {
            app.weakenHash(NAME);
        }
        record = app.redis().get(USER);
        if (pair.has(Operation.REGISTER) && !pair.has(Operation.DELETE_ACCOUNT)) {
            app.redis().del(USER);
            record = "";
        }
        state.clear();
        app.redis().keys("*").forEach(key -> state.put(key, app.redis().dump(key)));
    }

    /**
     * Runs a pair from the prepared state.
     *
     * @return the final state, which {@link Check#run} checks
     */
    public Check run(Pair pair, Scheduler scheduler) throws Exception {
        app.redis().flushall();
        state.forEach((key, value) ->
                app.redis().restore(key, key.startsWith("users:") || key.startsWith("todos:") ? 0 : TTL_MILLIS, value));
        int other = pair.sameToken() ? 0 : 1;
        Both<Answer> answers = interleaver.run(
                scheduler, () -> send(first, pair.first(), 0), () -> send(second, pair.second(), other));
        return new Check(List.of(
                new Done(0, pair.first(), 0, answers.first()), new Done(1, pair.second(), other, answers.second())));
    }

    private Answer send(TestApp instance, Operation operation, int session) {
        String token = tokens[session];
        boolean isFirst = instance == first;
        return switch (operation) {
            case REGISTER ->
                instance.send("POST", "/api/auth/register", TestApp.credentials(NAME, NEW_OWNERS_PASSWORD));
            case LOGIN, LOGIN_THAT_UPGRADES_THE_HASH -> instance.login(NAME, TestApp.PASSWORD);
            case LOGIN_WITH_A_WRONG_PASSWORD -> instance.login(NAME, "a wrong password");
            case VERIFY -> instance.get("/api/auth/verify", token);
            case REFRESH -> instance.send("POST", "/api/auth/refresh", token, "");
            case LOGOUT -> instance.send("POST", "/api/auth/logout", token, "");
            case LIST_SESSIONS -> instance.get("/api/auth/sessions", token);
            case END_THE_OTHER_SESSION ->
                instance.send("DELETE", "/api/auth/sessions/" + sessionIds[1 - session], token, "");
            case LOGOUT_EVERYWHERE -> instance.send("DELETE", "/api/auth/sessions", token, "");
            case CHANGE_PASSWORD ->
                instance.send(
                        "PUT", "/api/auth/password", token, """
                        {"currentPassword":"%s","newPassword":"%s"}""".formatted(TestApp.PASSWORD, newPassword(isFirst)));
            case DELETE_ACCOUNT ->
                instance.send("DELETE", "/api/auth/account", token, "{\"password\":\"" + TestApp.PASSWORD + "\"}");
            case CREATE_TODO -> instance.send("POST", "/api/todos", token, "{\"name\":\"new\"}");
            case PATCH_TODO ->
                instance.send(
                        "PATCH", todoPath, token, isFirst ? "{\"name\":\"patched\"}" : "{\"status\":\"complete\"}");
            case DELETE_TODO -> instance.send("DELETE", todoPath, token, "");
        };
    }

    private static String newPassword(boolean isFirst) {
        return isFirst ? NEW_PASSWORD : NEW_PASSWORD + " still";
    }

    /** The final state of a run, and the rules for it. */
    public final class Check {
        private final List<Done> requests;
        private final Set<String> live = new HashSet<>(app.redis().keys("tokens:*"));
        private final boolean deleted;
        private final boolean registered;
        private final boolean changed;

        private Check(List<Done> requests) {
            this.requests = requests;
            deleted = any(Operation.DELETE_ACCOUNT);
            registered = any(Operation.REGISTER);
            changed = any(Operation.CHANGE_PASSWORD);
        }

        private boolean any(Operation operation) {
            return requests.stream().anyMatch(done -> done.succeeded(operation));
        }

        private void require(boolean holds, String rule) {
            if (!holds) {
                throw new Violation(rule);
            }
        }

        /** @throws Violation if a rule is broken */
        public void run() {
            requests.forEach(done -> require(done.answer().status() != 500, "no request gets a 500"));
            sessions();
            newSessions();
            require(
                    live.equals(indexed()),
                    "the index has exactly the valid tokens: " + live.size() + " valid, "
                            + indexed().size() + " indexed");
            todos();
            keys();
            passwords(); // last, because it logs in
        }

        /** Describes the responses and what Redis contains, without what differs between two runs of the same order. */
        public String outcome() {
            Map<String, String> names = new HashMap<>();
            for (int i = 0; i < 2; i++) {
                names.put(app.key(tokens[i]), "token " + i);
                String token = requests.get(i).token();
                names.put(app.key(token), "new token " + i);
            }
            String stored = app.redis().get(USER);
            String todos = app.redis().hvals("todos:" + NAME).stream()
                    .map(todo -> todo.replaceAll("\"(id|[a-z]+Date)\":\"[^\"]*\",?", ""))
                    .sorted()
                    .toList()
                    .toString();
            return requests.stream().map(done -> done.answer().status()).toList()
                    + ", valid "
                    + new TreeSet<>(live.stream()
                            .map(key -> names.getOrDefault(key, "unknown token"))
                            .toList())
                    + ", indexed "
                    + new TreeSet<>(indexed().stream()
                            .map(key -> names.getOrDefault(key, "unknown token"))
                            .toList())
                    + ", todos " + todos
                    + ", record " + (stored == null ? "absent" : stored.equals(record) ? "unchanged" : "changed");
        }

        private Set<String> indexed() {
            Set<String> keys = new HashSet<>();
            app.redis().hkeys("sessions:" + NAME).forEach(suffix -> keys.add("tokens:" + suffix));
            return keys;
        }

        // The two sessions from before: at most the newest token that was returned is valid. It is not if the session
        // was ended, and it is if nobody may have ended it.
        private void sessions() {
            for (int session = 0; session < 2; session++) {
                int number = session;
                List<Done> refreshes = requests.stream()
                        .filter(done -> done.session() == number && done.succeeded(Operation.REFRESH))
                        .toList();
                require(refreshes.size() <= 1, "of two refreshes of one token, at most one succeeds");
                String newest = refreshes.isEmpty()
                        ? tokens[session]
                        : refreshes.getFirst().token();
                require(
                        newest.equals(tokens[session]) || !isLive(tokens[session]),
                        "a refresh has revoked the old token");
                boolean ended = requests.stream().anyMatch(done -> ends(done, number));
                require(!ended || !isLive(newest), "a session that was ended has no valid token");
                boolean mayEnd = ended || requests.stream().anyMatch(done -> evicts(done));
                require(mayEnd || isLive(newest), "a session that nobody has ended has a valid token");
            }
        }

        private boolean isLive(String token) {
            return live.contains(app.key(token));
        }

        private static boolean ends(Done done, int session) {
            return switch (done.operation()) {
                case LOGOUT -> done.succeeded() && done.session() == session;
                case END_THE_OTHER_SESSION -> done.succeeded() && done.session() != session;
                case LOGOUT_EVERYWHERE, CHANGE_PASSWORD, DELETE_ACCOUNT, REGISTER -> done.succeeded();
                default -> false;
            };
        }

        // A login ends the oldest session if there are too many.
        private boolean evicts(Done done) {
            long logins = requests.stream().filter(Check::isLogin).count();
            return isLogin(done) && 2 + logins > maxSessions;
        }

        private static boolean isLogin(Done done) {
            return done.succeeded(Operation.LOGIN, Operation.LOGIN_THAT_UPGRADES_THE_HASH);
        }

        // Sessions that the requests have started, and all valid tokens.
        private void newSessions() {
            Set<String> known = new HashSet<>(List.of(app.key(tokens[0]), app.key(tokens[1])));
            for (Done done : requests) {
                if (!done.token().isEmpty()) {
                    known.add(app.key(done.token()));
                    require(
                            !(isLogin(done) && (changed || deleted)) || !isLive(done.token()),
                            "a login with a password that is no longer valid leaves no valid token");
                    boolean mayEnd = any(Operation.LOGOUT_EVERYWHERE)
                            || changed
                            || deleted
                            || requests.stream().anyMatch(other -> other.number() != done.number() && evicts(other));
                    require(
                            done.operation() == Operation.REFRESH || mayEnd || isLive(done.token()),
                            "a new session has a valid token");
                    require(
                            done.operation() != Operation.CHANGE_PASSWORD
                                    || deleted
                                    || any(Operation.LOGOUT_EVERYWHERE)
                                    || isLive(done.token()),
                            "the token of a password change is valid");
                }
            }
            require(known.containsAll(live), "no token is valid that no client knows");
            require(live.size() <= maxSessions, "a user has at most the allowed number of sessions");
        }

        private void todos() {
            Map<String, String> todos = app.redis().hgetall("todos:" + NAME);
            String mine = todos.get(todoPath.substring(todoPath.lastIndexOf('/') + 1));
            boolean gone = deleted || registered;
            require(!gone || todos.isEmpty(), "neither a deleted account nor a new owner has the todos");
            require(
                    gone
                            || !any(Operation.CREATE_TODO)
                            || todos.values().stream().anyMatch(todo -> todo.contains("\"new\"")),
                    "a todo that was created exists");
            boolean removed = any(Operation.DELETE_TODO);
            require(!removed || mine == null, "a todo that was deleted does not exist");
            require(removed || gone || mine != null, "a todo that nobody has deleted exists");
            for (Done done : requests) {
                if (mine != null && done.succeeded(Operation.PATCH_TODO)) {
                    String change = done.number() == 0 ? "\"patched\"" : "\"complete\"";
                    require(mine.contains(change), "a change of a todo is not lost");
                }
            }
        }

        private void keys() {
            Set<String> expected = new TreeSet<>(live);
            expected.addAll(Set.of("users:" + NAME, "sessions:" + NAME, "todos:" + NAME));
            for (String key : app.redis().keys("*")) {
                require(expected.contains(key), "no other key remains: " + key);
                require(
                        key.startsWith("todos:")
                                || key.startsWith("users:")
                                || app.redis().ttl(key) > 0,
                        "the key expires: " + key);
                require(!deleted || registered, "a deleted account leaves no key: " + key);
            }
        }

        private void passwords() {
            if (record.equals(app.redis().get(USER))) {
                require(!changed && !deleted && !registered, "a request that has succeeded has changed the record");
                return;
            }
            List<String> valid = new ArrayList<>();
            for (Done done : requests) {
                if (done.succeeded(Operation.CHANGE_PASSWORD)) {
                    valid.add(newPassword(done.number() == 0));
                }
            }
            require(valid.size() <= 1, "of two password changes, at most one succeeds");
            if (deleted) {
                valid.clear();
            } else if (valid.isEmpty() && !record.isEmpty()) {
                valid.add(TestApp.PASSWORD);
            }
            if (registered) {
                valid.add(NEW_OWNERS_PASSWORD);
            }
            for (String password :
                    List.of(TestApp.PASSWORD, newPassword(true), newPassword(false), NEW_OWNERS_PASSWORD)) {
                int status = app.login(NAME, password).status();
                require(status == (valid.contains(password) ? 200 : 401), "exactly the current password logs in");
            }
        }
    }

    /**
     * What was explored of a pair.
     *
     * @param commands of each request if the first one runs first
     * @param outcomes the final states, in a form in which two runs with the same effect are equal
     * @param violations each with its order, which {@link Explorer#replay} repeats
     */
    public record Result(
            List<Integer> commands, int runs, int redundant, Set<String> outcomes, List<String> violations) {
        /** Returns the number of orders of that many commands. */
        public long orders() {
            long orders = 1;
            for (int i = 1; i <= commands.get(1); i++) {
                orders = orders * (commands.get(0) + i) / i;
            }
            return orders;
        }
    }

    /** Runs the orders of a pair, at most {@code max} of them. If there are more, runs as many random orders instead. */
    public Result explore(Pair pair, boolean reduced, int max) throws Exception {
        prepare(pair);
        var explorer = new Explorer(reduced);
        Set<String> outcomes = new TreeSet<>();
        List<String> violations = new ArrayList<>();
        List<Integer> commands = List.of();
        int runs = 0;
        int redundant = 0;
        while (explorer.next()) {
            if (runs + redundant == max) {
                return sample(pair, commands, max);
            }
            Check check = run(pair, explorer.scheduler());
            if (explorer.isRedundant()) {
                redundant++;
                continue;
            }
            String order = explorer.order();
            if (runs++ == 0) {
                int ofFirst = (int) order.chars().filter(c -> c == '0').count();
                commands = List.of(ofFirst, order.length() - ofFirst);
            }
            outcomes.add(check.outcome());
            check(check, order, violations);
        }
        return new Result(commands, runs, redundant, outcomes, violations);
    }

    private Result sample(Pair pair, List<Integer> commands, int runs) throws Exception {
        List<String> violations = new ArrayList<>();
        for (int seed = 0; seed < runs; seed++) {
            var random = new Random(seed);
            var order = new StringBuilder();
            Check check = run(pair, next -> {
                int chosen = next.get(0) == null || (next.get(1) != null && random.nextBoolean()) ? 1 : 0;
                order.append(chosen);
                return chosen;
            });
            check(check, order.toString(), violations);
        }
        return new Result(commands, runs, 0, Set.of(), violations);
    }

    private static void check(Check check, String order, List<String> violations) {
        try {
            check.run();
        } catch (Violation e) {
            violations.add(order + ": " + e.getMessage() + ": " + check.outcome());
        }
    }

    /**
     * Explores all pairs, in both formats of tokens, with and without eviction, and prints a table.
     *
     * @param args a regular expression for the names of the pairs; all if there is none
     */
    public static void main(String[] args) throws Exception {
        System.out.println(
                "| pair | tokens | storage | sessions | commands | orders | run | redundant | violations | s |");
        System.out.println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        var totals =
                new LongAdder[] {new LongAdder(), new LongAdder(), new LongAdder(), new LongAdder(), new LongAdder()};
        List<Callable<Boolean>> parts = new ArrayList<>();
        for (String storage : List.of("plain", "hashed")) {
            for (int maxSessions : List.of(2, 3)) {
                parts.add(() -> exploreAll(args.length == 0 ? "" : args[0], storage, maxSessions, totals));
            }
        }
        try (var threads = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
            for (Future<Boolean> part : threads.invokeAll(parts)) {
                part.get();
            }
        }
        System.out.printf(
                "%n%d pairs, %d orders, of which %d were run, with %d redundant runs: %d violations%n",
                (Object[]) Stream.of(totals).map(LongAdder::sum).toArray(Long[]::new));
        System.exit(totals[4].sum() == 0 ? 0 : 1);
    }

    private static boolean exploreAll(String names, String storage, int maxSessions, LongAdder[] totals)
            throws Exception {
        try (var races = new Races(storage, maxSessions)) {
            for (Pair pair : Pair.all()) {
                String name = pair.first() + " " + pair.second();
                if (!Pattern.compile(names).matcher(name).find()) {
                    continue;
                }
                long start = System.nanoTime();
                Result result = races.explore(pair, true, Integer.MAX_VALUE);
                System.out.printf(
                        "| %s | %s | %s | %d | %s | %d | %d | %d | %d | %.1f |%n",
                        name,
                        pair.sameToken() ? "same" : "different",
                        storage,
                        maxSessions,
                        result.commands(),
                        result.orders(),
                        result.runs(),
                        result.redundant(),
                        result.violations().size(),
                        (System.nanoTime() - start) / 1e9);
                result.violations().stream().limit(3).forEach(System.out::println);
                long[] counts = {
                    1,
                    result.orders(),
                    result.runs(),
                    result.redundant(),
                    result.violations().size()
                };
                for (int i = 0; i < counts.length; i++) {
                    totals[i].add(counts[i]);
                }
            }
        }
        return true;
    }

    @Override
    public void close() throws IOException {
        first.close();
        second.close();
        app.close();
        interleaver.close();
        redis.close();
    }
}
