package dev.latchkey.todos;

import dev.latchkey.http.Json;
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
    private static final String ADD = """
            if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
            return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])""";
    private static final String REPLACE = """
            if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
            return 1""";
    private static final String REMOVE = """
            if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
            return redis.call('HDEL', KEYS[1], ARGV[1])""";

    private final Redis redis;
    private final int max;

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

    /** @param max todos a user may have */
    TodoStore(Redis redis, int max) {
        this.redis = redis;
        this.max = max;
    }

    /** False where the owner has as many as allowed. */
    boolean add(String owner, Todo todo) {
        return run(ADD, owner, todo.id(), Json.text(todo), Integer.toString(max));
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
            redis.hgetall(key).forEach((id, json) -> {
                if (parse(json).status().equals(status.get())) {
                    selection.add(id);
                }
            });
        } else {
            redis.hkeys(key, selection::add);
        }
        List<String> page = selection.ids();
        boolean more = page.size() > limit;
        List<String> wanted = more ? page.subList(0, limit) : page;
        List<Todo> todos =
                redis.hmget(key, wanted).stream().map(TodoStore::parse).toList();
        return new Page(todos, selection.total, more ? wanted.getLast() : null);
    }

    /**
     * Changes one todo. Where another request was faster, {@code change} gets what that one left: no change is lost.
     *
     * @param change may be called more than once, and may throw to leave all as it is
     * @return what is stored now; empty where there is no such todo
     */
    Optional<Todo> update(String owner, String id, UnaryOperator<Todo> change) {
        while (true) {
            String json = redis.hget(key(owner), id);
            if (json == null) {
                return Optional.empty();
            }
            Todo current = parse(json);
            Todo changed = change.apply(current);
            if (changed.equals(current) || run(REPLACE, owner, id, json, Json.text(changed))) {
                return Optional.of(changed);
            }
        }
    }

    /**
     * Deletes the todo that {@code check} has seen, and no later state of it.
     *
     * @param check may be called more than once, and may throw to leave all as it is
     * @return false where there is no such todo
     */
    boolean remove(String owner, String id, Consumer<Todo> check) {
        String json;
        do {
            json = redis.hget(key(owner), id);
            if (json == null) {
                return false;
            }
            check.accept(parse(json));
        } while (!run(REMOVE, owner, id, json));
        return true;
    }

    void removeAll(String owner) {
        redis.del(key(owner));
    }

    // the whole script each time: Redis knows it by its hash, and none is ever missing after SCRIPT FLUSH or failover
    private boolean run(String script, String owner, String... arguments) {
        return redis.eval(script, key(owner), arguments);
    }

    private static Todo parse(String json) {
        return Json.read(json, Todo.class);
    }

    private static String key(String owner) {
        return "todos:" + owner;
    }
}
