package dev.latchkey.testing;

import dev.latchkey.testing.Operation.Client;
import dev.latchkey.testing.Operation.Effect;
import dev.latchkey.testing.Race.Call;
import dev.latchkey.testing.Scheduler.Step;
import dev.latchkey.testing.TestClient.Answer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
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

    private static final int SESSIONS = 2;
    private static final int MAX_REQUESTS = 3;

    private final Interleaver interleaver = new Interleaver(MAX_REQUESTS);
    private final int maxSessions;
    private final TestApp app; // is not controlled
    private final List<TestApp> instances = new ArrayList<>();

    /** @param maxSessions with 2, a login ends a session */
    public Races(String tokenStorage, int maxSessions) throws IOException {
        this.maxSessions = maxSessions;
        String[] settings = {
            "TOKEN_STORAGE",
            tokenStorage,
            "MAX_SESSIONS_PER_USER",
            Integer.toString(maxSessions),
            "TOKEN_TTL",
            "86400", // the state of a race is restored for hours
        };
        app = TestApp.startOn(interleaver.redisUrl(), settings);
        for (int i = 0; i < MAX_REQUESTS; i++) {
            instances.add(interleaver.start(i, settings));
        }
    }

    /** A session, whose token a client holds. */
    record Session(String token, String id) {}

    /** The state before a run. */
    public record Before(List<Session> sessions, String todoPath, int maxSessions, RedisState redis) {
        /** Returns the state when the sessions end, and Redis is about to delete their tokens. */
        public Before atExpiry() {
            return new Before(sessions, todoPath, maxSessions, redis.replaceAll("(?<=expiresDate\\W{1,9})20", "19"));
        }

        String todoId() {
            return todoPath.substring(todoPath.lastIndexOf('/') + 1);
        }
    }

    /** Prepares the state before the runs of a race. */
    public Before prepare(Race race) {
        app.redis().flushall();
        app.register(NAME);
        List<Session> sessions = new ArrayList<>();
        for (int i = 0; i < SESSIONS; i++) {
            // The second session has a name, and ends later than one without if there are too many.
            Answer login = i == 0 ? app.login(NAME, TestApp.PASSWORD) : loginWithName(app);
            String token = login.field("token");
            Answer all = app.get("/api/auth/sessions", token);
            sessions.add(new Session(token, all.json().at("/sessions/0/id").asString()));
        }
        Answer todo = app.send("POST", "/api/todos", sessions.getFirst().token(), "{\"name\":\"mine\"}");
        if (race.has(Operation.LOGIN_THAT_UPGRADES_THE_HASH)) {
            app.weakenHash(NAME);
        }
        if (race.has(Effect.CREATES_USER) && !race.has(Effect.DELETES_USER) && !race.has(Effect.DISABLES_LOGIN)) {
            app.redis().del(USER);
        }
        return new Before(sessions, todo.todoPath(), maxSessions, RedisState.read(app.redis()));
    }

    static Answer loginWithName(TestApp app) {
        String credentials = TestApp.credentials(NAME, TestApp.PASSWORD);
        return app.send("POST", "/api/auth/login", credentials.replace("}", ",\"name\":\"a machine\"}"));
    }

    /** Runs a race once from its prepared state. */
    public Run run(Race race, Before before, Scheduler scheduler) throws Exception {
        before.redis().restore(app.redis());
        List<Step> order = new ArrayList<>();
        List<List<RedisCommand>> commands = new ArrayList<>();
        List<Callable<Answer>> requests = new ArrayList<>();
        for (Call call : race.calls()) {
            commands.add(new ArrayList<>());
            var client = new Client(instances.get(call.number()), before, call);
            requests.add(client::send);
        }
        Scheduler recorder = next -> {
            Step step = scheduler.choose(next);
            order.add(step);
            commands.get(step.request()).add(Objects.requireNonNull(next.get(step.request())));
            return step;
        };
        List<Answer> answers = interleaver.run(recorder, requests);
        List<Exchange> exchanges = new ArrayList<>();
        for (Call call : race.calls()) {
            Fault fault = order.stream()
                    .filter(step -> step.request() == call.number())
                    .map(Step::fault)
                    .max(Comparator.naturalOrder()) // at most one is not NONE
                    .orElse(Fault.NONE);
            exchanges.add(new Exchange(call, answers.get(call.number()), fault, false));
        }
        String text = order.stream().map(Step::toString).collect(Collectors.joining());
        return new Run(app, before, text, commands, exchanges, RedisState.read(app.redis()));
    }

    /** Returns the commands of a request that runs alone, such as {@code GET own token}. */
    public List<String> commands(Operation operation) throws Exception {
        Race alone = Race.alone(operation);
        Before before = prepare(alone);
        List<String> keys = before.sessions().stream()
                .map(session -> app.key(session.token()))
                .toList();
        List<String> commands = new ArrayList<>();
        var _ = run(alone, before, next -> {
            RedisCommand command = Objects.requireNonNull(next.getFirst());
            int session = keys.indexOf(command.keys().getFirst());
            String token = List.of("new token", "other token", "own token").get(session + 1);
            boolean isOfOne = command.keys().size() == 1 && !command.name().equals("SCAN");
            String text = command.toString().replaceFirst(" tokens.*", " tokens");
            commands.add(text.replace("tokens", isOfOne ? token : "all tokens"));
            return Scheduler.first(next);
        });
        return commands;
    }

    /**
     * Checks the rules after a run. If a request was interrupted, its client repeats it, and the rules are checked again.
     *
     * @throws AssertionError if a rule is broken
     */
    public void check(Run run) {
        new RaceRules(app, run).check();
        if (run.any(Exchange::isInterrupted)) {
            run.redis().restore(app.redis()); // the check may have logged in
            List<Exchange> requests = new ArrayList<>();
            for (Exchange request : run.requests()) {
                requests.add(request.isInterrupted() ? repeat(run.before(), request) : request);
            }
            var state = RedisState.read(app.redis());
            new RaceRules(app, new Run(app, run.before(), run.order(), run.commands(), requests, state)).check();
        }
    }

    private Exchange repeat(Before before, Exchange request) {
        var client = new Client(app, before, request.call());
        Answer answer = client.send();
        if (answer.status() == 503 && app.redis().pttl(USER) > 0) {
            app.redis().pexpire(USER, 0); // the client waits as long as Retry-After says
            answer = client.send();
        }
        return new Exchange(request.call(), answer, request.fault(), true);
    }

    @Override
    public void close() throws IOException {
        instances.forEach(TestApp::close);
        app.close();
        interleaver.close();
    }
}
