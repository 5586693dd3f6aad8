package dev.latchkey.testing;

import static dev.latchkey.testing.Operation.CREATE_TODO;
import static dev.latchkey.testing.Operation.DELETE_ACCOUNT;
import static dev.latchkey.testing.Operation.DELETE_TODO;
import static dev.latchkey.testing.Operation.LIST_SESSIONS;
import static dev.latchkey.testing.Operation.LOGIN_THAT_UPGRADES_THE_HASH;
import static dev.latchkey.testing.Operation.LOGIN_WITH_A_WRONG_PASSWORD;
import static dev.latchkey.testing.Operation.PATCH_TODO;

import dev.latchkey.testing.Operation.Effect;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Concurrent requests of one user. */
public record Race(List<Call> calls) {
    private static final Set<Operation> OF_NO_SESSION = Set.of(
            LOGIN_THAT_UPGRADES_THE_HASH,
            LOGIN_WITH_A_WRONG_PASSWORD,
            LIST_SESSIONS,
            CREATE_TODO,
            PATCH_TODO,
            DELETE_TODO);

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

    /**
     * Returns all sets of three requests that start, end, rotate or check one session, and all that create a todo while
     * the account is deleted.
     */
    public static List<Race> triples() {
        List<Operation> ofSessions = Stream.of(Operation.values())
                .filter(operation -> !OF_NO_SESSION.contains(operation))
                .toList();
        List<Race> triples = new ArrayList<>();
        for (Operation first : ofSessions) {
            for (Operation second : ofSessions.subList(ofSessions.indexOf(first), ofSessions.size())) {
                for (Operation third : ofSessions.subList(ofSessions.indexOf(second), ofSessions.size())) {
                    triples.add(
                            new Race(List.of(new Call(first, 0, 0), new Call(second, 0, 1), new Call(third, 0, 2))));
                }
            }
        }
        for (Operation third : Operation.values()) {
            triples.add(pair(DELETE_ACCOUNT, CREATE_TODO, true).with(third));
        }
        return triples;
    }

    boolean has(Effect effect) {
        return calls.stream().anyMatch(call -> call.operation().effects.contains(effect));
    }

    boolean has(Operation operation) {
        return calls.stream().anyMatch(call -> call.operation() == operation);
    }

    /** Reports whether the two requests of a pair are the same, except for the password or the todo that they set. */
    boolean isSymmetric() {
        return calls.getFirst().toString().equals(calls.getLast().toString());
    }

    /** Returns the operations, such as {@code LOGIN, REFRESH 2}, with the session of each token. */
    @Override
    public String toString() {
        return calls.stream().map(Call::toString).collect(Collectors.joining(", "));
    }
}
