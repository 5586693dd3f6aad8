package dev.latchkey.todos;

import dev.latchkey.http.Caller;
import dev.latchkey.http.Fields;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import dev.latchkey.redis.Redis;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.function.Consumer;

/** {@code /api/todos}: the caller's own, and nobody else's. */
public final class TodoRoutes {
    private static final int MAX_LIMIT = 200;
    private static final int DEFAULT_LIMIT = 50;

    private final TodoStore store;
    private final TodoIds ids;
    private final InstantSource clock;
    private final int max;
    private final Consumer<Caller> requireLive;

    /**
     * @param max todos a user may have; one more is a 409
     * @param requireLive throws where the caller's token has died meanwhile
     */
    public TodoRoutes(Redis redis, int max, Consumer<Caller> requireLive, InstantSource clock) {
        this.store = new TodoStore(redis, max);
        this.ids = new TodoIds(clock);
        this.clock = clock;
        this.max = max;
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
        return Response.json(200, store.list(caller.username(), status, limit.orElse(DEFAULT_LIMIT), after.orElse("")));
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
        if (!store.add(caller.username(), todo)) {
            throw new Problem(409, "You have " + max + " todos, which is as many as one may have.");
        }
        undoneUnlessLive(caller, todo);
        return answer(201, todo).with("Location", "/api/todos/" + todo.id());
    }

    // the account may have been deleted in between: whoever registers the name next must not find this todo
    private void undoneUnlessLive(Caller caller, Todo todo) {
        try {
            requireLive.accept(caller);
        } catch (Problem gone) {
            store.remove(caller.username(), todo.id(), _ -> {});
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
        Todo patched = store.update(caller.username(), request.parameter(), todo -> {
                    requireMatch(request, todo);
                    return todo.patched(name, status, now());
                })
                .orElseThrow(TodoRoutes::notFound);
        return answer(200, patched);
    }

    private Response delete(Request request, Caller caller) {
        if (!store.remove(caller.username(), request.parameter(), todo -> requireMatch(request, todo))) {
            throw notFound();
        }
        return Response.noContent();
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
