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
 * Clients that use the service continuously, each as its own user, and remember which changes it acknowledged. After a
 * 503, a client accepts both outcomes, because the change may or may not have been made. Used by tests and {@link
 * Chaos}.
 */
public final class Load {
    private static final int PAUSE_MILLIS = 5;
    private static final String DELETED = ""; // instead of a name: no todo has an empty name

    private final TestClient service;
    private final boolean mayLoseWrites;
    private final List<Client> clients;
    private final List<Thread> threads = new ArrayList<>();
    private final Queue<Request> requests = new ConcurrentLinkedQueue<>();
    private final Queue<String> lost = new ConcurrentLinkedQueue<>();
    private final Queue<String> faults = new ConcurrentLinkedQueue<>();
    private volatile boolean stopped;

    /**
     * A request that got a response.
     *
     * @param what method and path, and the response body if the status code is 503
     * @param start time as of {@link System#nanoTime}
     * @param end time as of {@link System#nanoTime}
     */
    public record Request(String what, int status, long start, long end) {
        public long millis() {
            return TimeUnit.NANOSECONDS.toMillis(end - start);
        }
    }

    /**
     * @param mayLoseWrites whether Redis may lose acknowledged writes, as in a failover; they are then reported by
     *     {@link #lost} instead of {@link #faults}
     */
    public Load(TestClient service, int clients, boolean mayLoseWrites) {
        this.service = service;
        this.mayLoseWrites = mayLoseWrites;
        this.clients = IntStream.range(0, clients).mapToObj(Client::new).toList();
    }

    public void start() {
        clients.forEach(client -> threads.add(Thread.startVirtualThread(client::work)));
    }

    /** Waits until each client has got {@code successes} more responses with the expected status code. */
    public void await(int successes) {
        int[] before =
                clients.stream().mapToInt(client -> client.successes.get()).toArray();
        await(() -> IntStream.range(0, before.length)
                .allMatch(i -> clients.get(i).successes.get() >= before[i] + successes));
    }

    /** Waits at most 60 seconds until the condition is true. */
    public static void await(BooleanSupplier condition) {
        var deadline = Instant.now().plusSeconds(60);
        while (!condition.getAsBoolean()) {
            assertTrue(Instant.now().isBefore(deadline), "The condition did not become true within 60 s.");
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

    /** Stops the clients, and compares the state of the service with the changes that it acknowledged. */
    public void stop() throws InterruptedException {
        stopped = true;
        for (Thread thread : threads) {
            thread.join();
        }
        clients.forEach(Client::verify);
    }

    public Queue<Request> requests() {
        return requests;
    }

    /**
     * Returns differences between the acknowledged changes and the data, if Redis may lose writes. Examples are objects
     * that are missing, and deleted objects or revoked tokens that are back.
     */
    public Queue<String> lost() {
        return lost;
    }

    /** Returns responses and data that no client must ever see. */
    public Queue<String> faults() {
        return faults;
    }

    private final class Client {
        private final Random random;
        private final int number;
        private final List<String> usernames = new ArrayList<>(); // registered; the first one is in use
        private final List<String> revokedTokens = new ArrayList<>();
        private final Map<String, Set<String>> todos = new HashMap<>(); // by id: the names that it may have
        private final Set<String> uncertainNames = new HashSet<>(); // of todos that may have been created
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
                    faults.add("no response: " + e + " " + e.getCause());
                }
                pause(random.nextInt(2 * PAUSE_MILLIS));
            }
        }

        private void step() {
            if (usernames.isEmpty()) {
                register();
            } else if (token == null) {
                if (login(usernames.getFirst()) == 401) { // Redis has lost the user record
                    usernames.removeFirst();
                    todos.clear();
                    uncertainNames.clear();
                }
            } else {
                use(token);
            }
        }

        private void use(String bearer) {
            int choice = random.nextInt(200);
            if (choice < 1) { // rare, because it needs a password hash
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
                change(bearer, "DELETE", 204, DELETED);
            } else if (choice < 90) {
                list(bearer);
            } else if (choice < 100) {
                call(200, "GET", "/api/auth/me", bearer, "");
            } else {
                call(200, "GET", "/api/auth/verify", bearer, "");
            }
        }

        private TestClient.Answer call(int expected, String method, String path, String bearer, String body) {
            // Each login comes from another address, so that no rate limit applies.
            String[] headers = bearer.isEmpty()
                    ? new String[] {"X-Forwarded-For", "2001:db8:" + number + ":" + count++ % 0xffff + "::1"}
                    : new String[] {"Authorization", "Bearer " + bearer};
            long start = System.nanoTime();
            var answer = service.send(method, path, body, headers);
            String what = method + " " + path.replaceAll("[0-9a-f-]{36}", "{id}");
            String detail = answer.status() == 503 ? " " + answer.text() : "";
            requests.add(new Request(what + detail, answer.status(), start, System.nanoTime()));
            if (answer.status() == expected) {
                successes.incrementAndGet();
            } else if (answer.status() != 503) {
                addViolation(what + " returned " + answer.status() + " " + answer.text());
                token = answer.status() == 401 ? null : token;
            } else if (!answer.header("Retry-After").equals("1")) {
                faults.add(what + ": a 503 response without Retry-After: 1");
            }
            return answer;
        }

        private void addViolation(String detail) {
            (mayLoseWrites ? lost : faults).add(detail);
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
            token = null; // after a 503, the old token may be invalid
            var answer = call(200, "POST", "/api/auth/refresh", bearer, "");
            if (answer.status() == 200) {
                token = answer.field("token");
                revokedTokens.add(bearer);
            }
        }

        private void logout(String bearer) {
            token = null;
            if (call(204, "POST", "/api/auth/logout", bearer, "").status() == 204) {
                revokedTokens.add(bearer);
            }
        }

        private void create(String bearer) {
            String name = "todo " + count++;
            uncertainNames.add(name);
            var answer = call(201, "POST", "/api/todos", bearer, "{\"name\":\"" + name + "\"}");
            if (answer.status() == 201) {
                uncertainNames.remove(name);
                todos.put(answer.field("id"), new HashSet<>(Set.of(name)));
            }
        }

        private void change(String bearer, String method, int expected, String after) {
            // A todo is not changed again after a failure, because Redis may execute the failed change later.
            var certain = todos.entrySet().stream()
                    .filter(todo ->
                            todo.getValue().size() == 1 && !todo.getValue().contains(DELETED))
                    .findFirst();
            certain.ifPresent(todo -> {
                todo.getValue().add(after);
                String body = after.equals(DELETED) ? "" : "{\"name\":\"" + after + "\"}";
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
                String name = found.getOrDefault(id, DELETED);
                if (names.add(name)) {
                    addViolation("a todo is '" + name + "' instead of one of " + names);
                }
            });
            found.forEach((id, name) -> {
                if (!todos.containsKey(id) && uncertainNames.add(name)) {
                    addViolation("a todo '" + name + "' that no client has created");
                }
            });
        }

        /** Checks the acknowledged changes that normal use does not check. */
        void verify() {
            revokedTokens.forEach(bearer -> call(401, "GET", "/api/auth/verify", bearer, ""));
            if (token != null) {
                list(token);
            }
            usernames.forEach(this::login);
        }
    }
}
