package dev.latchkey.testing;

import static dev.latchkey.testing.Operation.CHANGE_PASSWORD;
import static dev.latchkey.testing.Operation.CREATE_TODO;
import static dev.latchkey.testing.Operation.DELETE_ACCOUNT;
import static dev.latchkey.testing.Operation.LOGIN;
import static dev.latchkey.testing.Operation.LOGOUT;
import static dev.latchkey.testing.Operation.LOGOUT_EVERYWHERE;
import static dev.latchkey.testing.Operation.REFRESH;
import static dev.latchkey.testing.Operation.REGISTER;

import dev.latchkey.testing.Operation.Effect;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Concurrent requests of one user. */
public record Race(List<Call> calls) {
    /**
     * A request.
     *
     * @param session whose token it uses, if it uses one: 0 or 1
     * @param number of the request in its race, counted from 0
     */
    record Call(Operation operation, int session, int number) {
        private boolean usesToken() {
            return !operation.effects.contains(Effect.NEEDS_NO_TOKEN);
        }

        String newPassword() {
            return "a new and better one " + number;
        }

        /** Concurrent requests change different fields, so that no change may be lost. */
        String patch() {
            return number == 0 ? "{\"name\":\"patched\"}" : "{\"status\":\"complete\"}";
        }

        @Override
        public String toString() {
            return operation + (usesToken() ? " " + (session + 1) : "");
        }
    }

    /** Returns a single request, with the token of the second session. */
    public static Race alone(Operation operation) {
        return new Race(List.of()).with(operation);
    }

    /** @param sameToken whether both use the token of the same session */
    public static Race pair(Operation first, Operation second, boolean sameToken) {
        return new Race(List.of(new Call(first, 0, 0), new Call(second, sameToken ? 0 : 1, 1)));
    }

    /** Returns a race with one more request, which uses the token of the second session. */
    public Race with(Operation another) {
        List<Call> all = new ArrayList<>(calls);
        all.add(new Call(another, 1, calls.size()));
        return new Race(all);
    }

    /** Returns all pairs. */
    public static List<Race> pairs() {
        List<Race> pairs = new ArrayList<>();
        for (Operation first : Operation.values()) {
            for (Operation second : Operation.values()) {
                if (first.compareTo(second) <= 0) {
                    pairs.add(pair(first, second, false));
                    if (!second.effects.contains(Effect.NEEDS_NO_TOKEN)) {
                        pairs.add(pair(first, second, true));
                    }
                }
            }
        }
        return pairs;
    }

    /** Returns the pairs that matter most, each with every operation as a third request. */
    public static List<Race> triples() {
        List<Race> pairs = List.of(
                pair(REFRESH, REFRESH, true),
                pair(REFRESH, LOGOUT, true),
                pair(REFRESH, LOGOUT_EVERYWHERE, false),
                pair(LOGIN, CHANGE_PASSWORD, false),
                pair(DELETE_ACCOUNT, CREATE_TODO, true),
                pair(REGISTER, DELETE_ACCOUNT, false));
        return pairs.stream()
                .flatMap(pair -> Stream.of(Operation.values()).map(pair::with))
                .toList();
    }

    boolean has(Operation operation) {
        return calls.stream().anyMatch(call -> call.operation() == operation);
    }

    /** Returns the operations, such as {@code LOGIN, REFRESH 2}, with the session of each token. */
    @Override
    public String toString() {
        return calls.stream().map(Call::toString).collect(Collectors.joining(", "));
    }
}
