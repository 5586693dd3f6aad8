package dev.latchkey.api;

import dev.latchkey.http.ErrorCode;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.RequestFields;
import dev.latchkey.http.Response;
import dev.latchkey.overload.Bulkhead;
import dev.latchkey.todos.Todo;
import dev.latchkey.todos.TodoIds;
import dev.latchkey.todos.TodoStore;
import dev.latchkey.tokens.Caller;
import dev.latchkey.validation.FieldErrorCode;
import dev.latchkey.validation.InvalidValueException;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;

/**
 * The routes {@code /api/todos}: the caller's own todos.
 *
 * @param lists limits how many lists are made at the same time
 * @param clock in milliseconds
 */
public record TodoHandlers(TodoStore store, Bulkhead lists, TodoIds ids, InstantSource clock) {
    private static final int MAX_LIMIT = 200;
    private static final int DEFAULT_LIMIT = 50;

    Response list(Request request, Caller caller) {
        RequestFields query = request.query();
        var status = query.optional("status", Todo.Status::of);
        var limit = query.optional("limit", TodoHandlers::limit);
        var after = query.optional("after", TodoIds::check);
        query.throwIfInvalid();
        try (var _ = lists.enter(caller.username())) {
            var page =
                    store.list(caller.username(), status.orElse(null), limit.orElse(DEFAULT_LIMIT), after.orElse(""));
            return Response.json(200, page);
        }
    }

    private static int limit(String text) {
        if (!text.matches("[0-9]{1,3}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > MAX_LIMIT) {
            String detail = "must be 1–" + MAX_LIMIT;
            throw new InvalidValueException(FieldErrorCode.OUT_OF_RANGE, detail, 1, MAX_LIMIT);
        }
        return Integer.parseInt(text);
    }

    Response create(Request request, Caller caller) throws IOException {
        RequestFields fields = request.json();
        var name = fields.required("name", Todo::checkName);
        var status = fields.optional("status", Todo.Status::of);
        fields.throwIfInvalid();
        Instant now = clock.instant();
        var todo = new Todo(ids.next(), name.get(), status.orElse(Todo.Status.TODO), now, now);
        if (!store.add(caller, todo)) {
            throw AuthFilter.invalidToken();
        }
        // A path prefix of a proxy stays in front of a relative reference (RFC 9110 §10.2.2).
        return response(201, todo).withHeader("Location", "todos/" + todo.id());
    }

    Response get(Request request, Caller caller) {
        Todo todo = store.find(caller.username(), request.pathParameter());
        if (todo == null) {
            throw notFound();
        }
        requireMatch(request, todo);
        return request.ifNoneMatch(todo.etag()) ? Response.notModified(todo.etag()) : response(200, todo);
    }

    Response patch(Request request, Caller caller) throws IOException {
        RequestFields fields = request.json();
        var name = fields.optional("name", Todo::checkName);
        var status = fields.optional("status", Todo.Status::of);
        fields.throwIfInvalid();
        Todo patched = store.update(caller.username(), request.pathParameter(), todo -> {
            requirePreconditions(request, todo);
            return todo.patched(name.orElse(null), status.orElse(null), clock.instant());
        });
        if (patched == null) {
            throw notFound();
        }
        return response(200, patched);
    }

    Response delete(Request request, Caller caller) {
        boolean removed = request.hasPrecondition()
                ? store.remove(caller.username(), request.pathParameter(), todo -> requirePreconditions(request, todo))
                : store.remove(caller.username(), request.pathParameter());
        if (!removed) {
            throw notFound();
        }
        return Response.NO_CONTENT;
    }

    private static Response response(int status, Todo todo) {
        return Response.json(status, todo).withHeader("ETag", todo.etag());
    }

    private static void requireMatch(Request request, Todo todo) {
        if (!request.ifMatch(todo.etag())) {
            // A proxy may have weakened the ETag, for example because it compresses the response.
            String detail =
                    "If-Match does not have the current ETag of the todo. Read the todo again. A weak ETag (W/) never matches.";
            throw new Problem(ErrorCode.PRECONDITION_FAILED, detail);
        }
    }

    // In the order of RFC 9110 §13.2.2.
    private static void requirePreconditions(Request request, Todo todo) {
        requireMatch(request, todo);
        if (request.ifNoneMatch(todo.etag())) {
            String detail = "If-None-Match has the current ETag of the todo, or a *, which every todo matches.";
            throw new Problem(ErrorCode.PRECONDITION_FAILED, detail);
        }
    }

    // The same for another user's todo, because a 403 would reveal that it exists.
    private static Problem notFound() {
        return new Problem(ErrorCode.NOT_FOUND, "You have no such todo.");
    }
}
