package dev.latchkey.todos;

import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.json.Json;
import dev.latchkey.overload.Attempts;
import dev.latchkey.redis.CleanUp;
import dev.latchkey.redis.Redis;
import dev.latchkey.todos.Todo.Status;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.TokenKeys;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The hashes {@code todos:{username}}, which map ids to todos as JSON. Ids sort by time, so lists are oldest first.
 *
 * @param maxPerUser number of todos that each user may store
 */
public record TodoStore(Redis redis, TokenKeys tokens, int maxPerUser, CleanUp cleanUp) {
    private static final String ADD = """
            if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
            return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])""";

    private static final System.Logger LOG = System.getLogger("latchkey.todos");
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int BATCH = 100; // todos: 110 KB of heap if their names are long

    /** The user has as many todos as allowed. Nothing has been stored. */
    public static final class LimitException extends RuntimeException {
        private static final long serialVersionUID = 1;

        LimitException(int max) {
            super("You have " + max + " todos, which is the limit. Delete some first.", null, false, false);
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

    /**
     * Adds a todo of the caller, and reports whether the caller's token is still valid. If it is not, the todo is
     * removed: a concurrent request may have deleted the account, and the next user with that username must not inherit
     * the todo, even if Redis fails before the token is checked again.
     *
     * @throws LimitException if the caller has too many todos
     */
    public boolean add(Caller caller, Todo todo) {
        String owner = caller.username();
        BooleanSupplier addWhileValid = () -> {
            if (redis.eval(ADD, key(owner), todo.id(), Json.text(todo), Integer.toString(maxPerUser)) == 0) {
                throw new LimitException(maxPerUser);
            }
            return tokens.isStillValid(caller.token());
        };
        return cleanUp.undoUnless(addWhileValid, () -> remove(owner, todo.id()));
    }

    /** Returns null if the owner has no such todo. */
    public @Nullable Todo find(String owner, String id) {
        String json = redis.hget(key(owner), id);
        return json == null ? null : parse(json);
    }

    /**
     * Returns a page of the owner's todos, oldest first.
     *
     * @param status of the todos to list; null for all
     * @param after the id after which the page starts, which need not exist; empty for the first page
     */
    public Page list(String owner, @Nullable Status status, int limit, String after) {
        List<String> ids = redis.hkeys(key(owner));
        List<String> matching = status == null ? ids : withStatus(owner, status, ids);
        List<String> rest =
                matching.stream().filter(id -> id.compareTo(after) > 0).sorted().toList();
        List<String> page = rest.subList(0, Math.min(limit, rest.size()));
        return new Page(read(owner, page), matching.size(), page.size() < rest.size() ? page.getLast() : null);
    }

    // In batches, because the todos of eight lists would not fit into a small heap at the same time.
    private List<String> withStatus(String owner, Status status, List<String> ids) {
        List<String> matching = new ArrayList<>();
        for (int i = 0; i < ids.size(); i += BATCH) {
            for (Todo todo : read(owner, ids.subList(i, Math.min(i + BATCH, ids.size())))) {
                if (todo.status() == status) {
                    matching.add(todo.id());
                }
            }
        }
        return matching;
    }

    // A todo that another program has damaged must not hide the others.
    private List<Todo> read(String owner, List<String> ids) {
        List<Todo> todos = new ArrayList<>();
        for (String json : redis.hmget(key(owner), ids)) {
            try {
                todos.add(parse(json));
            } catch (IllegalStateException _) {
                LOG.log(WARNING, "left an unreadable todo out of a list");
            }
        }
        return todos;
    }

    /**
     * Changes a todo. If a concurrent request has changed it meanwhile, {@code change} is applied to the new state,
     * so that no change is lost.
     *
     * @param change may be called several times, and may throw an exception to leave the todo unchanged
     * @return the new state, or null if the owner has no such todo
     */
    public @Nullable Todo update(String owner, String id, UnaryOperator<Todo> change) {
        for (var attempts = Attempts.within(PATIENCE); ; attempts.next()) {
            String json = redis.hget(key(owner), id);
            if (json == null) {
                return null;
            }
            Todo current = parse(json);
            Todo todo = change.apply(current);
            if (todo.equals(current) || redis.hsetIfEqual(key(owner), id, json, Json.text(todo))) {
                return todo;
            }
        }
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
        for (var attempts = Attempts.within(PATIENCE); ; attempts.next()) {
            String json = redis.hget(key(owner), id);
            if (json == null) {
                return false;
            }
            check.accept(parse(json));
            if (redis.hdelIfEqual(key(owner), id, json)) {
                return true;
            }
        }
    }

    /** Deletes all todos of a user. */
    public void removeAll(String owner) {
        redis.del(key(owner));
    }

    private static Todo parse(String json) {
        return Json.read(json, Todo.class);
    }

    private static String key(String owner) {
        return "todos:" + owner;
    }
}
