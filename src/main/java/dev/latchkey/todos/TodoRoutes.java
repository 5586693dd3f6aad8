package dev.latchkey.todos;

import dev.latchkey.http.Caller;
import dev.latchkey.http.Fields;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import dev.latchkey.overload.Bulkhead;
import dev.latchkey.redis.Redis;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** {@code /api/todos}: the caller's own, and nobody else's. */
public final class TodoRoutes {
    private static final int MAX_LIMIT = 200;
    private static final int DEFAULT_LIMIT = 50;

    private final TodoStore store;
    private final TodoIds ids;
    private final InstantSource clock;
    private final TodoStore.Limits limits;
    private final Bulkhead lists;
    private final Consumer<Caller> requireLive;

    /**
     * @param max todos a user may have; one more is a 409
     * @param maxBytes of all todos of a user as stored; more is a 409
     * @param lists that are made at the same time
     * @param requireLive throws where the caller's token has died meanwhile
     */
    public TodoRoutes(
            Redis redis, int max, int maxBytes, Bulkhead lists, Consumer<Caller> requireLive, InstantSource clock) {
        this.limits = new TodoStore.Limits(max, maxBytes);
        this.store = new TodoStore(redis, limits);
        this.lists = lists;
        this.ids = new TodoIds(clock);
        this.clock = clock;
        this.requireLive = requireLive;
    }

    public List<Route> routes() {
        return List.of(
                Route.guarded("GET", "/api/todos", this::list),
                Route.guarded("POST", "/api/todos", this::create),
                Route.guarded("GET", "/api/todos/{id}", this::get),
                Route.guarded("PATCH", "/api/todos/{id}", this::patch),
                Route.guarded("DELETE", "/api/todos/{id}", this::delete));
    }

    private Response list(Request request, Caller caller) {
        Fields query = request.query();
        var status = query.optional("status", Todo.Status::of);
        var limit = query.optional("limit", TodoRoutes::limit);
        var after = query.optional("after", TodoIds::check);
        query.check();
        return lists.run(() -> Response.json(
                200, store.list(caller.username(), status, limit.orElse(DEFAULT_LIMIT), after.orElse(""))));
    }

    private static int limit(String text) {
        if (!text.matches("[0-9]{1,3}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > MAX_LIMIT) {
            throw new IllegalArgumentException("must be 1 to " + MAX_LIMIT);
        }
        return Integer.parseInt(text);
    }

    private Response create(Request request, Caller caller) throws IOException {
        Fields fields = request.json();
        var name = fields.required("name", Todo::checkName);
        var status = fields.optional("status", Todo.Status::of);
        fields.check();
        Instant now = now();
        var todo = new Todo(ids.next(), name.get(), status.orElse(Todo.Status.TODO), now, now);
        withinLimits(() -> {
            store.add(caller.username(), todo);
            return todo;
        });
        undoneUnlessLive(caller, todo);
        return answer(201, todo).with("Location", "/api/todos/" + todo.id());
    }

    // the account may have been deleted in between: whoever registers the name next must not find this todo
    private void undoneUnlessLive(Caller caller, Todo todo) {
        try {
            requireLive.accept(caller);
        } catch (Problem gone) {
            store.remove(caller.username(), todo.id());
            throw gone;
        }
    }

    /** Deletes all that a user has. */
    public void removeAll(String username) {
        store.removeAll(username);
    }

    private Response get(Request request, Caller caller) {
        Todo todo = store.find(caller.username(), request.parameter()).orElseThrow(TodoRoutes::notFound);
        requireMatch(request, todo);
        return request.ifNoneMatch(todo.etag()) ? Response.notModified(todo.etag()) : answer(200, todo);
    }

    private Response patch(Request request, Caller caller) throws IOException {
        Fields fields = request.json();
        var name = fields.optional("name", Todo::checkName);
        var status = fields.optional("status", Todo.Status::of);
        fields.check();
        Todo patched = withinLimits(() -> store.update(caller.username(), request.parameter(), todo -> {
                    requireMatch(request, todo);
                    return todo.patched(name, status, now());
                }))
                .orElseThrow(TodoRoutes::notFound);
        return answer(200, patched);
    }

    private Response delete(Request request, Caller caller) {
        boolean removed = request.hasIfMatch()
                ? store.remove(caller.username(), request.parameter(), todo -> requireMatch(request, todo))
                : store.remove(caller.username(), request.parameter());
        if (!removed) {
            throw notFound();
        }
        return Response.noContent();
    }

    private <T> T withinLimits(Supplier<T> write) {
        try {
            return write.get();
        } catch (TodoStore.LimitException _) {
            throw new Problem(
                    409,
                    "Todo limit reached: " + limits.todos() + " todos, " + limits.bytes() + " bytes of all as stored.");
        }
    }

    private static Response answer(int status, Todo todo) {
        return Response.json(status, todo).with("ETag", todo.etag());
    }

    private static void requireMatch(Request request, Todo todo) {
        if (!request.ifMatch(todo.etag())) {
            throw new Problem(412, "The todo has changed: If-Match names another state of it.");
        }
    }

    // the same for what does not exist and for what is another user's: a 403 would tell that it exists
    private static Problem notFound() {
        return new Problem(404, "You have no such todo.");
    }

    private Instant now() {
        return clock.instant().truncatedTo(ChronoUnit.MILLIS);
    }
}
