package dev.latchkey.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Clients that use all of the service without a break, each as a user of its own, and remember what it acknowledged. Where
 * the answer was a 503 they know that both may be true.
 */
public final class Load {
    private static final int PAUSE_MILLIS = 5;
    private static final String GONE = ""; // no todo has that name

    private final TestClient service;
    private final boolean mayLose;
    private final List<Client> clients;
    private final List<Thread> threads = new ArrayList<>();
    private final Queue<Request> requests = new ConcurrentLinkedQueue<>();
    private final Queue<String> lost = new ConcurrentLinkedQueue<>();
    private final Queue<String> faults = new ConcurrentLinkedQueue<>();
    private volatile boolean stopped;

    /** One that was answered; times as of {@link System#nanoTime}. */
    public record Request(String what, int status, long start, long end) {
        public long millis() {
            return TimeUnit.NANOSECONDS.toMillis(end - start);
        }
    }

    /** @param mayLose whether Redis may lose what it acknowledged: that is counted, and no fault */
    public Load(TestClient service, int clients, boolean mayLose) {
        this.service = service;
        this.mayLose = mayLose;
        this.clients = IntStream.range(0, clients).mapToObj(Client::new).toList();
    }

    public void start() {
        clients.forEach(client -> threads.add(Thread.startVirtualThread(client::work)));
    }

    /** Waits until each client has got so many answers that are no 503. */
    public void await(int successes) {
        int[] before =
                clients.stream().mapToInt(client -> client.successes.get()).toArray();
        await(() -> IntStream.range(0, before.length)
                .allMatch(i -> clients.get(i).successes.get() >= before[i] + successes));
    }

    public static void await(BooleanSupplier condition) {
        var deadline = Instant.now().plusSeconds(60);
        while (!condition.getAsBoolean()) {
            assertTrue(Instant.now().isBefore(deadline), "in vain");
            pause(10);
        }
    }

    public static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Ends it, and compares what the service has with what it acknowledged. */
    public void stop() throws InterruptedException {
        stopped = true;
        for (Thread thread : threads) {
            thread.join();
        }
        clients.forEach(Client::check);
    }

    public Queue<Request> requests() {
        return requests;
    }

    /** What was acknowledged and is not there, or is there again. */
    public Queue<String> lost() {
        return lost;
    }

    /** What a client must never see. */
    public Queue<String> faults() {
        return faults;
    }

    private final class Client {
        private final Random random;
        private final int number;
        private final List<String> usernames = new ArrayList<>(); // registered, the first is the one who works
        private final List<String> dead = new ArrayList<>();
        private final Map<String, Set<String>> todos = new HashMap<>(); // to the names that each may have
        private final Set<String> attempts = new HashSet<>(); // names of todos that may have been created
        private @Nullable String token;
        private int count;
        private final AtomicInteger successes = new AtomicInteger();

        Client(int number) {
            random = new Random(number);
            this.number = number;
        }

        void work() {
            while (!stopped) {
                try {
                    step();
                } catch (RuntimeException e) {
                    faults.add("no answer: " + e + " " + e.getCause());
                }
                pause(random.nextInt(2 * PAUSE_MILLIS));
            }
        }

        private void step() {
            if (usernames.isEmpty()) {
                register();
            } else if (token == null) {
                if (login(usernames.getFirst()) == 401) { // Redis has lost the user
                    usernames.removeFirst();
                    todos.clear();
                    attempts.clear();
                }
            } else {
                use(token);
            }
        }

        private void use(String bearer) {
            int choice = random.nextInt(200);
            if (choice < 1) { // what costs a hash is rare
                register();
            } else if (choice < 3) {
                logout(bearer);
            } else if (choice < 15) {
                refresh(bearer);
            } else if (choice < 35) {
                create(bearer);
            } else if (choice < 55) {
                change(bearer, "PATCH", 200, "patched " + count++);
            } else if (choice < 75) {
                change(bearer, "DELETE", 204, GONE);
            } else if (choice < 90) {
                list(bearer);
            } else if (choice < 100) {
                call(200, "GET", "/api/auth/me", bearer, "");
            } else {
                call(204, "GET", "/api/auth/verify", bearer, "");
            }
        }

        private TestClient.Answer call(int expected, String method, String path, String bearer, String body) {
            // another address for each login: none has used up its attempts
            String[] headers = bearer.isEmpty()
                    ? new String[] {"X-Forwarded-For", "2001:db8:" + number + ":" + count++ % 0xffff + "::1"}
                    : new String[] {"Authorization", "Bearer " + bearer};
            long start = System.nanoTime();
            var answer = service.send(method, path, body, headers);
            String what = method + " " + path.replaceAll("[0-9a-f-]{36}", "{id}");
            String why = answer.status() == 503 ? " " + answer.text() : "";
            requests.add(new Request(what + why, answer.status(), start, System.nanoTime()));
            if (answer.status() == expected) {
                successes.incrementAndGet();
            } else if (answer.status() != 503) {
                wrong(what + " answers " + answer.status() + " " + answer.text());
                token = answer.status() == 401 ? null : token;
            } else if (!answer.header("Retry-After").equals("1")) {
                faults.add(what + ": a 503 without Retry-After");
            }
            return answer;
        }

        private void wrong(String what) {
            (mayLose ? lost : faults).add(what);
        }

        private void register() {
            String username = TestClient.newName();
            var answer =
                    call(201, "POST", "/api/auth/register", "", TestClient.credentials(username, TestClient.PASSWORD));
            if (answer.status() == 201) {
                usernames.add(username);
            }
        }

        private int login(String username) {
            String body = TestClient.credentials(username, TestClient.PASSWORD);
            var answer = call(200, "POST", "/api/auth/login", "", body);
            if (answer.status() == 200) {
                token = answer.field("token");
            }
            return answer.status();
        }

        private void refresh(String bearer) {
            token = null; // after a 503 the old one may be dead
            var answer = call(200, "POST", "/api/auth/refresh", bearer, "");
            if (answer.status() == 200) {
                token = answer.field("token");
                dead.add(bearer);
            }
        }

        private void logout(String bearer) {
            token = null;
            if (call(204, "POST", "/api/auth/logout", bearer, "").status() == 204) {
                dead.add(bearer);
            }
        }

        private void create(String bearer) {
            String name = "todo " + count++;
            attempts.add(name);
            var answer = call(201, "POST", "/api/todos", bearer, "{\"name\":\"" + name + "\"}");
            if (answer.status() == 201) {
                attempts.remove(name);
                todos.put(answer.field("id"), new HashSet<>(Set.of(name)));
            }
        }

        private void change(String bearer, String method, int expected, String after) {
            // what failed once is not touched again: later than its client gave up, Redis may still do it
            var known = todos.entrySet().stream()
                    .filter(todo ->
                            todo.getValue().size() == 1 && !todo.getValue().contains(GONE))
                    .findFirst();
            known.ifPresent(todo -> {
                todo.getValue().add(after);
                String body = after.equals(GONE) ? "" : "{\"name\":\"" + after + "\"}";
                if (call(expected, method, "/api/todos/" + todo.getKey(), bearer, body)
                                .status()
                        == expected) {
                    todo.getValue().retainAll(Set.of(after));
                }
            });
        }

        private void list(String bearer) {
            var answer = call(200, "GET", "/api/todos?limit=200", bearer, "");
            if (answer.status() != 200) {
                return;
            }
            Map<String, String> found = new HashMap<>();
            answer.json()
                    .get("todos")
                    .forEach(todo -> found.put(
                            todo.get("id").asString(), todo.get("name").asString()));
            todos.forEach((id, names) -> {
                String name = found.getOrDefault(id, GONE);
                if (names.add(name)) {
                    wrong("a todo is '" + name + "', not one of " + names);
                }
            });
            found.forEach((id, name) -> {
                if (!todos.containsKey(id) && attempts.add(name)) {
                    wrong("a todo '" + name + "' that nobody made");
                }
            });
        }

        void check() {
            dead.forEach(bearer -> call(401, "GET", "/api/auth/verify", bearer, ""));
            if (token != null) {
                list(token);
            }
            usernames.forEach(this::login);
        }
    }
}
