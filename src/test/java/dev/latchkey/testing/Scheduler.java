package dev.latchkey.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Decides which request sends its next command. */
@FunctionalInterface
public interface Scheduler {
    /** The next command of a request, and what happens to it. */
    record Step(int request, Fault fault) {
        /** As a text such as {@code 0}, or {@code 1l} for a lost reply. {@link #replay} reads a list of them. */
        @Override
        public String toString() {
            return request + fault.letter;
        }
    }

    /** @param next command of each request; null if the request has ended */
    Step choose(List<@Nullable RedisCommand> next);

    /**
     * Returns the requests that have not ended.
     *
     * @param next of each request; null if it has ended
     */
    static List<Integer> unfinished(List<? extends @Nullable Object> next) {
        return IntStream.range(0, next.size())
                .filter(request -> next.get(request) != null)
                .boxed()
                .toList();
    }

    /** Returns the next command of the first request that has not ended. */
    static Step first(List<@Nullable RedisCommand> next) {
        return new Step(unfinished(next).getFirst(), Fault.NONE);
    }

    /** Reports whether one request has ended before another one began. */
    static boolean isBefore(String order, int earlier, int later) {
        String steps = order.replaceAll("[a-z]", "");
        return steps.lastIndexOf(Integer.toString(earlier)) < steps.indexOf(Integer.toString(later));
    }

    /** Returns a scheduler that repeats an order. When it is used up, the first request that has not ended goes on. */
    static Scheduler replay(String order) {
        List<Step> rest = new ArrayList<>();
        Pattern.compile("(\\d)([a-z]?)")
                .matcher(order)
                .results()
                .forEach(step -> rest.add(new Step(Integer.parseInt(step.group(1)), Fault.of(step.group(2)))));
        return next -> rest.isEmpty() || next.get(rest.getFirst().request()) == null ? first(next) : rest.removeFirst();
    }

    /** Returns a scheduler for a run in a random order, in which a random one of the first 16 commands meets a fault. */
    static Scheduler random(long seed) {
        var random = new SplittableRandom(seed); // Random(1) and Random(2) begin alike
        var commandsUntilFault = new AtomicInteger(random.nextInt(16));
        Fault fault = List.of(Fault.values()).get(1 + random.nextInt(Fault.values().length - 1)); // not NONE
        return next -> {
            List<Integer> requests = unfinished(next);
            int request = requests.get(random.nextInt(requests.size()));
            return new Step(request, commandsUntilFault.getAndDecrement() == 0 ? fault : Fault.NONE);
        };
    }
}
