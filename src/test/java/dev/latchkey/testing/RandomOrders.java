package dev.latchkey.testing;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Chooses random orders of the Redis commands of concurrent requests, and recognizes those that need not be run, because
 * they differ from an earlier one only in steps that commute. It brings each order into a normal form, and remembers what
 * can follow (traces, Mazurkiewicz, LNCS 255; lexicographic normal form, Anisimov and Knuth, 1979).
 */
final class RandomOrders implements Scheduler {
    // From each normal form to those with one more step, by the request of the step. Empty at the end of the run.
    private final Map<String, List<@Nullable String>> nextForms = new HashMap<>();
    private final Set<String> chosen = new HashSet<>();
    private SplittableRandom random = new SplittableRandom(0);
    private final StringBuilder order = new StringBuilder(); // the requests of the steps; known before the run at first
    private List<Transition> steps = List.of(); // of the run, in normal form
    private int requests;

    /** Chooses the next order. Returns false if it need not be run. */
    boolean next(long seed) {
        if (!steps.isEmpty()) {
            nextForms.put(form(steps), List.of());
            chosen.add(form(steps) + ends());
        }
        random = new SplittableRandom(seed); // Random(1) and Random(2) begin alike
        order.setLength(0);
        steps = List.of();
        String form = "";
        for (List<@Nullable String> next = nextForms.get(form); next != null; next = nextForms.get(form)) {
            if (next.isEmpty()) {
                return chosen.add(form + ends());
            }
            form = Objects.requireNonNull(next.get(chooseRequest(next)));
        }
        return true;
    }

    private int chooseRequest(List<@Nullable String> next) {
        List<Integer> requests = Scheduler.unfinished(next);
        int request = requests.get(random.nextInt(requests.size()));
        order.append(request);
        return request;
    }

    // Returns which requests have ended before others began, because a rule depends on it.
    private String ends() {
        var pairs = new StringBuilder();
        for (int earlier = 0; earlier < requests; earlier++) {
            for (int later = 0; later < requests; later++) {
                if (Scheduler.isBefore(order.toString(), earlier, later)) {
                    pairs.append(' ').append(earlier).append(later);
                }
            }
        }
        return pairs.toString();
    }

    @Override
    public Step choose(List<@Nullable RedisCommand> next) {
        List<List<Transition>> withNext = new ArrayList<>();
        List<@Nullable String> forms = new ArrayList<>();
        requests = next.size();
        for (int request = 0; request < next.size(); request++) {
            RedisCommand command = next.get(request);
            List<Transition> longer =
                    command == null ? List.of() : with(new Transition(new Step(request, Fault.NONE), command));
            withNext.add(longer);
            forms.add(command == null ? null : form(longer));
        }
        nextForms.put(form(steps), forms);
        int request = steps.size() < order.length() ? order.charAt(steps.size()) - '0' : chooseRequest(forms);
        steps = withNext.get(request);
        return new Step(request, Fault.NONE);
    }

    // Inserts a step where it is executed as early as possible relative to those of requests with higher numbers.
    private List<Transition> with(Transition step) {
        int index = steps.size();
        for (int i = steps.size() - 1; i >= 0 && !steps.get(i).dependsOn(step); i--) {
            if (steps.get(i).step().request() > step.step().request()) {
                index = i;
            }
        }
        List<Transition> longer = new ArrayList<>(steps);
        longer.add(index, step);
        return longer;
    }

    private static String form(List<Transition> steps) {
        return steps.stream()
                .map(step -> Integer.toString(step.step().request()))
                .collect(Collectors.joining());
    }
}
