package dev.latchkey.todos;

import dev.latchkey.http.Json;
import dev.latchkey.overload.Attempts;
import dev.latchkey.redis.Redis;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The hashes {@code todos:{username}}: id to JSON. Ids sort by time of creation, so their order is the list's. */
final class TodoStore {
    // 1: done, 0: the todo has changed, -1: over a limit
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
    private static final String REMOVE = """
            if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
            return redis.call('HDEL', KEYS[1], ARGV[1])""";

    private static final System.Logger LOG = System.getLogger("latchkey.todos");
    private static final int MAX_ATTEMPTS = 10;

    private final Redis redis;
    private final Limits limits;

    /**
     * What a user may have.
     *
     * @param todos at most
     * @param bytes of all of them as stored
     */
    record Limits(int todos, int bytes) {}

    /** A limit is reached, and nothing has been stored. */
    static final class LimitException extends RuntimeException {
        private static final long serialVersionUID = 1;

        LimitException() {
            super("todo limit", null, false, false);
        }
    }

    /**
     * One page.
     *
     * @param total how many there are on all pages
     * @param next the id to continue after; null on the last page
     */
    record Page(List<Todo> todos, int total, @Nullable String next) {}

    /** Counts ids, and keeps the first few behind one: a thousand in memory for each request cost more than all the rest. */
    private static final class Selection {
        private final String after;
        private final int size;
        private final PriorityQueue<String> first = new PriorityQueue<>(Comparator.reverseOrder());
        private int total;

        Selection(String after, int size) {
            this.after = after;
            this.size = size;
        }

        void add(String id) {
            total++;
            if (id.compareTo(after) > 0 && (first.size() < size || id.compareTo(first.element()) < 0)) {
                first.add(id);
                if (first.size() > size) {
                    first.remove();
                }
            }
        }

        List<String> ids() {
            return first.stream().sorted().toList();
        }
    }

    TodoStore(Redis redis, Limits limits) {
        this.redis = redis;
        this.limits = limits;
    }

    /** @throws LimitException if the owner has as many as allowed */
    void add(String owner, Todo todo) {
        var _ = changed(redis.evalInteger(
                ADD,
                key(owner),
                todo.id(),
                Json.text(todo),
                Integer.toString(limits.todos()),
                Integer.toString(limits.bytes())));
    }

    private static boolean changed(long reply) {
        if (reply < 0) {
            throw new LimitException();
        }
        return reply == 1;
    }

    Optional<Todo> find(String owner, String id) {
        return Optional.ofNullable(redis.hget(key(owner), id)).map(TodoStore::parse);
    }

    /**
     * Oldest first.
     *
     * @param status of those wanted; empty for all
     * @param after begins behind this id, which need not exist (any more); empty begins at the first
     */
    Page list(String owner, Optional<Todo.Status> status, int limit, String after) {
        String key = key(owner);
        var selection = new Selection(after, limit + 1);
        if (status.isPresent()) {
            redis.hgetall(key)
                    .forEach((id, json) -> readable(json)
                            .filter(todo -> todo.status().equals(status.get()))
                            .ifPresent(_ -> selection.add(id)));
        } else {
            redis.hkeys(key, selection::add);
        }
        List<String> page = selection.ids();
        boolean more = page.size() > limit;
        List<String> wanted = more ? page.subList(0, limit) : page;
        List<Todo> todos = redis.hmget(key, wanted).stream()
                .flatMap(json -> readable(json).stream())
                .toList();
        return new Page(todos, selection.total, more ? wanted.getLast() : null);
    }

    /**
     * Changes one todo. If another request was faster, {@code change} gets what that one has left, so that no change is lost.
     *
     * @param change may be called more than once, and may throw to leave all as it is
     * @return what is stored now; empty if there is no such todo
     * @throws LimitException if it would take more bytes than the owner may have
     */
    Optional<Todo> update(String owner, String id, UnaryOperator<Todo> change) {
        return Attempts.repeat(MAX_ATTEMPTS, () -> {
            String json = redis.hget(key(owner), id);
            if (json == null) {
                return Optional.empty();
            }
            Todo current = parse(json);
            Todo todo = change.apply(current);
            boolean done = todo.equals(current)
                    || changed(redis.evalInteger(
                            REPLACE, key(owner), id, json, Json.text(todo), Integer.toString(limits.bytes())));
            return done ? Optional.of(todo) : null;
        });
    }

    /**
     * Deletes a todo, whether it can be read or not.
     *
     * @return false if there is no such todo
     */
    boolean remove(String owner, String id) {
        return redis.hdel(key(owner), List.of(id));
    }

    /**
     * Deletes the todo that {@code check} has seen, and no later state of it.
     *
     * @param check may be called more than once, and may throw to leave all as it is
     * @return false if there is no such todo
     */
    boolean remove(String owner, String id, Consumer<Todo> check) {
        return Attempts.repeat(MAX_ATTEMPTS, () -> {
            String json = redis.hget(key(owner), id);
            if (json == null) {
                return false;
            }
            check.accept(parse(json));
            return redis.eval(REMOVE, key(owner), id, json) ? true : null;
        });
    }

    void removeAll(String owner) {
        redis.del(key(owner));
    }

    // one that another program has spoilt must not hide the others
    private static Optional<Todo> readable(String json) {
        try {
            return Optional.of(parse(json));
        } catch (IllegalStateException _) {
            LOG.log(System.Logger.Level.WARNING, "left an unreadable todo out of a list");
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
