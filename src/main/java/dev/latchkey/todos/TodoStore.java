package dev.latchkey.todos;

import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.json.Json;
import dev.latchkey.overload.Attempts;
import dev.latchkey.redis.Redis;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The hashes {@code todos:{username}}, which map ids to todos as JSON. Ids sort by time, so lists are oldest first. */
public record TodoStore(Redis redis, Limits limits) {
    // Both return 1 if done, 0 if the todo has changed meanwhile, and -1 if a limit is exceeded.
    private static final String ADD = """
            local all = redis.call('HGETALL', KEYS[1])
            local bytes = #ARGV[2]
            for i = 2, #all, 2 do bytes = bytes + #all[i] end
            if #all / 2 >= tonumber(ARGV[3]) or bytes > tonumber(ARGV[4]) then return -1 end
            return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])""";
    private static final String REPLACE = """
            if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
            local bytes = #ARGV[3] - #ARGV[2]
            if bytes > 0 then
              local all = redis.call('HGETALL', KEYS[1])
              for i = 2, #all, 2 do bytes = bytes + #all[i] end
              if bytes > tonumber(ARGV[4]) then return -1 end
            end
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
            return 1""";

    private static final System.Logger LOG = System.getLogger("latchkey.todos");
    private static final int MAX_ATTEMPTS = 10;

    /**
     * What each user may store.
     *
     * @param todos number of todos
     * @param bytes of all todos of the user, as stored
     */
    public record Limits(int todos, int bytes) {}

    /** The user's todos have reached a limit. Nothing has been stored. */
    public static final class LimitException extends RuntimeException {
        private static final long serialVersionUID = 1;

        LimitException(String message) {
            super(message, null, false, false);
        }
    }

    /**
     * A page of a list.
     *
     * @param total number of todos on all pages
     * @param next the id to continue after, or null on the last page
     */
    public record Page(
            List<Todo> todos, int total, @Nullable String next) {}

    /** @throws LimitException if the owner has too many todos */
    public void add(String owner, Todo todo) {
        var _ = write(ADD, owner, todo.id(), Json.text(todo), Integer.toString(limits.todos()));
    }

    // Reports whether the script has written.
    private boolean write(String script, String owner, String... arguments) {
        String[] all = Arrays.copyOf(arguments, arguments.length + 1);
        all[arguments.length] = Integer.toString(limits.bytes());
        long result = redis.eval(script, key(owner), all);
        if (result < 0) {
            throw new LimitException(
                    "Todo limit reached: " + limits.todos + " todos, or " + limits.bytes + " bytes of stored todos.");
        }
        return result == 1;
    }

    /** Returns nothing if the owner has no such todo. */
    public Optional<Todo> find(String owner, String id) {
        return Optional.ofNullable(redis.hget(key(owner), id)).map(TodoStore::parse);
    }

    /**
     * Returns a page of the owner's todos, oldest first.
     *
     * @param status of the todos to list; empty for all
     * @param after the id after which the page starts, which need not exist; empty for the first page
     */
    public Page list(String owner, Optional<Todo.Status> status, int limit, String after) {
        String key = key(owner);
        var total = new AtomicInteger();
        // The page and one more. Sorting a thousand ids per request would cost more.
        var first = new PriorityQueue<String>(Comparator.reverseOrder());
        Consumer<String> addId = id -> {
            total.incrementAndGet();
            if (id.compareTo(after) > 0 && (first.size() <= limit || id.compareTo(first.element()) < 0)) {
                first.add(id);
                if (first.size() > limit + 1) {
                    first.remove();
                }
            }
        };
        if (status.isPresent()) {
            redis.hgetall(key)
                    .forEach((id, json) -> readable(json)
                            .filter(todo -> todo.status().equals(status.get()))
                            .ifPresent(_ -> addId.accept(id)));
        } else {
            redis.hkeys(key, addId);
        }
        List<String> page = first.stream().sorted().limit(limit).toList();
        List<Todo> todos = redis.hmget(key, page).stream()
                .flatMap(json -> readable(json).stream())
                .toList();
        return new Page(todos, total.get(), first.size() > limit ? page.getLast() : null);
    }

    /**
     * Changes a todo. If a concurrent request has changed it meanwhile, {@code change} is applied to the new state,
     * so that no change is lost.
     *
     * @param change may be called several times, and may throw an exception to leave the todo unchanged
     * @return the new state, or nothing if the owner has no such todo
     * @throws LimitException if the owner's todos would have too many bytes
     */
    public Optional<Todo> update(String owner, String id, UnaryOperator<Todo> change) {
        return Attempts.repeat(MAX_ATTEMPTS, () -> {
            String json = redis.hget(key(owner), id);
            if (json == null) {
                return Optional.empty();
            }
            Todo current = parse(json);
            Todo todo = change.apply(current);
            boolean done = todo.equals(current) || write(REPLACE, owner, id, json, Json.text(todo));
            return done ? Optional.of(todo) : null;
        });
    }

    /** Deletes a todo, even if it is unreadable, and reports whether it existed. */
    public boolean remove(String owner, String id) {
        return redis.hdel(key(owner), List.of(id));
    }

    /**
     * Deletes a todo in exactly the state that {@code check} has seen, and reports whether it existed.
     *
     * @param check may be called several times, and may throw an exception to keep the todo
     */
    public boolean remove(String owner, String id, Consumer<Todo> check) {
        return Attempts.repeat(MAX_ATTEMPTS, () -> {
            String json = redis.hget(key(owner), id);
            if (json == null) {
                return false;
            }
            check.accept(parse(json));
            return redis.hdelIfEqual(key(owner), id, json) ? true : null;
        });
    }

    /** Deletes all todos of a user. */
    public void removeAll(String owner) {
        redis.del(key(owner));
    }

    // A todo that another program has damaged must not hide the others.
    private static Optional<Todo> readable(String json) {
        try {
            return Optional.of(parse(json));
        } catch (IllegalStateException _) {
            LOG.log(WARNING, "left an unreadable todo out of a list");
            return Optional.empty();
        }
    }

    private static Todo parse(String json) {
        return Json.read(json, Todo.class);
    }

    private static String key(String owner) {
        return "todos:" + owner;
    }
}
