package dev.latchkey.testing;

import dev.latchkey.testing.Interleaver.Command;
import dev.latchkey.testing.Interleaver.Fault;
import dev.latchkey.testing.Interleaver.Scheduler;
import dev.latchkey.testing.Interleaver.Step;
import dev.latchkey.testing.RaceRules.Before;
import dev.latchkey.testing.RaceRules.Done;
import dev.latchkey.testing.RaceRules.Violation;
import dev.latchkey.testing.TestClient.Answer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;

/**
 * Runs concurrent requests of one user in given orders of their Redis commands, and checks {@link RaceRules} after each
 * run.
 *
 * <p>Before each run, Redis contains one user with a todo and two sessions, each of which has a token that a client
 * holds. For a registration, the record of that user is missing, as after a deletion that has failed half-way. If
 * another request deletes the account, the record is there.
 */
public final class Races implements AutoCloseable {
    static final String NAME = "alice";
    static final String USER = "users:" + NAME;
    static final String NEW_OWNERS_PASSWORD = "another user's password";

    private static final int SESSIONS = 2;
    private static final int MAX_REQUESTS = 3;
    // With the first one, Redis returns the fields of a hash in the order in which they were set. Otherwise, the order
    // in
    // which a revocation deletes several tokens would depend on their random text. Without the second one, each
    // FLUSHALL
    // would write a file.
    private static final Map<String, String> REDIS_SETTINGS = Map.of("hash-max-listpack-value", "4096", "save", "");

    /** What a request does. */
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
        DELETE_TODO;

        boolean usesToken() {
            return compareTo(VERIFY) >= 0;
        }
    }

    /**
     * A request.
     *
     * @param session whose token it uses, if it uses one: 0 or 1
     */
    public record Call(Operation operation, int session) {}

    /** Concurrent requests. */
    public record Race(List<Call> calls) {
        /** @param sameToken whether both use the token of the same session */
        public static Race pair(Operation first, Operation second, boolean sameToken) {
            return new Race(List.of(new Call(first, 0), new Call(second, sameToken ? 0 : 1)));
        }

        /** Returns a race with one more request. */
        public Race with(Call another) {
            List<Call> all = new ArrayList<>(calls);
            all.add(another);
            return new Race(all);
        }

        /** Returns all pairs. */
        public static List<Race> pairs() {
            List<Race> pairs = new ArrayList<>();
            for (Operation first : Operation.values()) {
                for (Operation second : Operation.values()) {
                    if (first.compareTo(second) <= 0) {
                        pairs.add(pair(first, second, false));
                        if (second.usesToken()) {
                            pairs.add(pair(first, second, true));
                        }
                    }
                }
            }
            return pairs;
        }

        /** Returns the pairs that matter most, each with every operation as a third request. */
        public static List<Race> triples() {
            List<Race> pairs = List.of(
                    pair(Operation.REFRESH, Operation.REFRESH, true),
                    pair(Operation.REFRESH, Operation.LOGOUT, true),
                    pair(Operation.REFRESH, Operation.LOGOUT_EVERYWHERE, false),
                    pair(Operation.LOGIN, Operation.CHANGE_PASSWORD, false),
                    pair(Operation.DELETE_ACCOUNT, Operation.CREATE_TODO, true),
                    pair(Operation.REGISTER, Operation.DELETE_ACCOUNT, false));
            List<Race> triples = new ArrayList<>();
            for (Race pair : pairs) {
                for (Operation third : Operation.values()) {
                    triples.add(pair.with(new Call(third, 1)));
                }
            }
            return triples;
        }

        boolean has(Operation operation) {
            return calls.stream().anyMatch(call -> call.operation() == operation);
        }

        /** Returns the operations, such as {@code LOGIN, REFRESH 2}, with the session of each token. */
        @Override
        public String toString() {
            return calls.stream()
                    .map(call -> call.operation() + (call.operation().usesToken() ? " " + (call.session() + 1) : ""))
                    .collect(Collectors.joining(", "));
        }
    }

    private final EmbeddedRedis redis = EmbeddedRedis.start(REDIS_SETTINGS);
    private final Interleaver interleaver = new Interleaver(redis.url(), MAX_REQUESTS);
    private final int maxSessions;
    private final TestApp app; // is not controlled
    private final List<TestApp> instances = new ArrayList<>();

    /** @param maxSessions with 2, a login ends a session */
    public Races(String tokenStorage, int maxSessions) throws IOException {
        this.maxSessions = maxSessions;
        String[] settings = {"TOKEN_STORAGE", tokenStorage, "MAX_SESSIONS_PER_USER", Integer.toString(maxSessions)};
        app = TestApp.startOn(redis.url(), settings);
        for (int i = 0; i < MAX_REQUESTS; i++) {
            var topology = new Topology(interleaver.url(i), redis.url());
            instances.add(TestApp.startOn(topology, interleaver.cleanUpThreads(i), settings));
        }
    }

    /** Prepares the state before the runs of a race. */
    public Before prepare(Race race) {
        app.redis().flushall();
        app.register(NAME);
        List<String> tokens = new ArrayList<>();
        List<String> sessionIds = new ArrayList<>();
        for (int i = 0; i < SESSIONS; i++) {
            tokens.add(app.login(NAME, TestApp.PASSWORD).field("token"));
            sessionIds.add(app.get("/api/auth/sessions", tokens.get(i))
                    .json()
                    .at("/sessions/0/id")
                    .asString());
        }
        String todoPath = app.send("POST", "/api/todos", tokens.getFirst(), "{\"name\":\"mine\"}")
                .todoPath();
        if (race.has(Operation.LOGIN_THAT_UPGRADES_THE_HASH)) {
            app.weakenHash(NAME);
        }
        String record = app.redis().get(USER);
        if (race.has(Operation.REGISTER) && !race.has(Operation.DELETE_ACCOUNT)) {
            app.redis().del(USER);
            record = "";
        }
        return new Before(tokens, sessionIds, todoPath, record, maxSessions, RedisState.read(app.redis()));
    }

    /**
     * A run that has ended.
     *
     * @param order as {@link Explorer#replay} reads it
     */
    public record Run(Race race, Before before, String order, List<Done> requests) {
        /** Reports whether a command met a fault. */
        boolean faulted() {
            return requests.stream().anyMatch(done -> done.fault() != Fault.NONE);
        }

        boolean isInterrupted() {
            return requests.stream().anyMatch(Done::isInterrupted);
        }
    }

    /** Runs a race once from its prepared state. */
    public Run run(Race race, Before before, Scheduler scheduler) throws Exception {
        before.state().restore(app.redis());
        List<Step> steps = new ArrayList<>();
        List<Callable<Answer>> requests = new ArrayList<>();
        for (Call call : race.calls()) {
            int number = requests.size();
            requests.add(() -> send(instances.get(number), before, call, number));
        }
        List<Answer> answers = interleaver.run(
                next -> {
                    Step step = scheduler.choose(next);
                    steps.add(step);
                    return step;
                },
                requests);
        List<Done> done = new ArrayList<>();
        for (Answer answer : answers) {
            int number = done.size();
            Fault fault = steps.stream()
                    .filter(step -> step.request() == number)
                    .map(Step::fault)
                    .filter(some -> some != Fault.NONE)
                    .findFirst()
                    .orElse(Fault.NONE);
            done.add(new Done(number, race.calls().get(number), answer, fault, false));
        }
        String order = steps.stream().map(Step::toString).collect(Collectors.joining());
        return new Run(race, before, order, done);
    }

    /** Returns the commands of a request that runs alone, such as {@code GET own token}. */
    public List<String> commands(Operation operation) throws Exception {
        var alone = new Race(List.of(new Call(operation, 1)));
        Before before = prepare(alone);
        String other = app.key(before.tokens().getFirst());
        String own = app.key(before.tokens().getLast());
        List<String> commands = new ArrayList<>();
        var _ = run(alone, before, next -> {
            Command command = Objects.requireNonNull(next.getFirst());
            if (command.name().equals("MGET")) {
                commands.add("MGET all tokens");
                return new Step(0, Fault.NONE);
            }
            String owner = command.key().equals(own) ? "own" : command.key().equals(other) ? "other" : "new";
            String kind = command.key().substring(0, command.key().indexOf(':'));
            commands.add(command.name() + " " + (kind.equals("tokens") ? owner + " token" : kind));
            return new Step(0, Fault.NONE);
        });
        return commands;
    }

    private static Answer send(TestApp instance, Before before, Call call, int number) {
        String token = before.tokens().get(call.session());
        return switch (call.operation()) {
            case REGISTER ->
                instance.send("POST", "/api/auth/register", TestApp.credentials(NAME, NEW_OWNERS_PASSWORD));
            case LOGIN, LOGIN_THAT_UPGRADES_THE_HASH -> instance.login(NAME, TestApp.PASSWORD);
            case LOGIN_WITH_A_WRONG_PASSWORD -> instance.login(NAME, "a wrong password");
            case VERIFY -> instance.get("/api/auth/verify", token);
            case REFRESH -> instance.send("POST", "/api/auth/refresh", token, "");
            case LOGOUT -> instance.send("POST", "/api/auth/logout", token, "");
            case LIST_SESSIONS -> instance.get("/api/auth/sessions", token);
            case END_THE_OTHER_SESSION -> {
                String other = before.sessionIds().get(1 - call.session());
                yield instance.send("DELETE", "/api/auth/sessions/" + other, token, "");
            }
            case LOGOUT_EVERYWHERE -> instance.send("DELETE", "/api/auth/sessions", token, "");
            case CHANGE_PASSWORD ->
                instance.send("PUT", "/api/auth/password", token, """
                        {"currentPassword":"%s","newPassword":"%s"}""".formatted(TestApp.PASSWORD, newPassword(number)));
            case DELETE_ACCOUNT ->
                instance.send("DELETE", "/api/auth/account", token, "{\"password\":\"" + TestApp.PASSWORD + "\"}");
            case CREATE_TODO -> instance.send("POST", "/api/todos", token, "{\"name\":\"new\"}");
            case PATCH_TODO -> instance.send("PATCH", before.todoPath(), token, patch(number));
            case DELETE_TODO -> instance.send("DELETE", before.todoPath(), token, "");
        };
    }

    static String newPassword(int number) {
        return "a new and better one " + number;
    }

    /** Concurrent requests change different fields, so that no change may be lost. */
    static String patch(int number) {
        return number == 0 ? "{\"name\":\"patched\"}" : "{\"status\":\"complete\"}";
    }

    /** Repeats the request that met a fault, as its client would if it got no answer or a 503. */
    private Run repeat(Run run) {
        List<Done> requests = new ArrayList<>();
        for (Done done : run.requests()) {
            if (!done.isInterrupted()) {
                requests.add(done);
                continue;
            }
            Answer answer = send(app, run.before(), done.call(), done.number());
            if (answer.status() == 503 && app.redis().pttl(USER) > 0) {
                app.redis().pexpire(USER, 0); // the client waits as long as Retry-After says
                answer = send(app, run.before(), done.call(), done.number());
            }
            requests.add(new Done(done.number(), done.call(), answer, done.fault(), true));
        }
        return new Run(run.race(), run.before(), run.order(), requests);
    }

    /**
     * What was explored of a race.
     *
     * @param commands of each request if they run one after the other
     * @param orders that were run
     * @param faults orders that were run with a fault, in addition to {@code orders}
     * @param redundant runs that were not needed
     * @param sampled whether not all orders were run, and some of those that were are random
     * @param outcomes the final states, in a form in which two runs with the same effect are equal
     * @param remains what faults have left behind, by operation and fault
     * @param violations each with its order, which {@link Explorer#replay} repeats
     */
    public record Result(
            List<Integer> commands,
            int orders,
            int faults,
            int redundant,
            boolean sampled,
            Set<String> outcomes,
            Map<String, Set<String>> remains,
            List<String> violations) {}

    /**
     * Runs all orders of a race. If there are more than {@code max}, runs as many, and then as many random orders.
     *
     * @param reduced whether orders that differ only in steps that commute count as one
     */
    public Result explore(Race race, boolean reduced, boolean withFaults, int max) throws Exception {
        Before before = prepare(race);
        var explorer = new Explorer(reduced, withFaults);
        var collected = new Collected();
        while (explorer.next()) {
            if (collected.runs() == max) {
                return sample(race, before, collected, withFaults, 0, max);
            }
            Run run = run(race, before, explorer.scheduler());
            if (explorer.isRedundant()) {
                collected.redundant++;
            } else {
                collected.add(run);
            }
        }
        return collected.result(false);
    }

    /** Runs random orders of a race. The same first seed always gives the same orders. */
    public Result sample(Race race, boolean withFaults, long firstSeed, int runs) throws Exception {
        return sample(race, prepare(race), new Collected(), withFaults, firstSeed, runs);
    }

    private Result sample(Race race, Before before, Collected collected, boolean withFaults, long firstSeed, int runs)
            throws Exception {
        for (int i = 0; i < runs; i++) {
            collected.add(run(race, before, Explorer.random(firstSeed + i, withFaults)));
        }
        return collected.result(true);
    }

    private final class Collected {
        private final Set<String> outcomes = new TreeSet<>();
        private final Map<String, Set<String>> remains = new TreeMap<>();
        private final List<String> violations = new ArrayList<>();
        private List<Integer> commands = List.of();
        private int orders;
        private int faults;
        private int redundant;

        int runs() {
            return orders + faults + redundant;
        }

        void add(Run run) {
            if (orders == 0) {
                commands = run.requests().stream()
                        .map(done -> run.order().replaceAll("[^" + done.number() + "]", ""))
                        .map(String::length)
                        .toList();
            }
            if (run.faulted()) {
                faults++;
            } else {
                orders++;
            }
            try {
                outcomes.add(check(run, remains));
            } catch (Violation e) {
                violations.add(run.order() + ": " + e.getMessage());
            }
        }

        Result result(boolean sampled) {
            return new Result(commands, orders, faults, redundant, sampled, outcomes, remains, violations);
        }
    }

    /**
     * Checks the rules after a run. If a request was interrupted, checks them again after its client has repeated it.
     *
     * @param remains receives what a fault has left behind, by operation and fault
     * @return the final state, in a form in which two runs with the same effect are equal
     * @throws Violation if a rule is broken
     */
    public String check(Run run, Map<String, Set<String>> remains) {
        var state = RedisState.read(app.redis());
        var rules = new RaceRules(app, run, state);
        String outcome = rules.outcome();
        rules.check(remains);
        rules.checkPasswords();
        if (run.isInterrupted()) {
            state.restore(app.redis()); // the check of the passwords may have logged in
            var repeated = new RaceRules(app, repeat(run), RedisState.read(app.redis()));
            repeated.check(remains);
            repeated.checkPasswords();
        }
        return outcome;
    }

    @Override
    public void close() throws IOException {
        instances.forEach(TestApp::close);
        app.close();
        interleaver.close();
        redis.close();
    }
}
