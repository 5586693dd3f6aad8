package dev.latchkey.validation;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** A value that breaks rules. The message has the details of all of them, and follows the name of a field. */
public final class InvalidValueException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    private final transient List<BrokenRule> brokenRules;

    /**
     * A rule that the value breaks.
     *
     * @param detail for people, as in "must be a number"
     * @param minimum that the rule allows: characters of a text, or the number itself; empty if it has none
     * @param maximum that the rule allows
     */
    public record BrokenRule(FieldErrorCode code, String detail, Optional<Integer> minimum, Optional<Integer> maximum) {
        public BrokenRule(FieldErrorCode code, String detail) {
            this(code, detail, Optional.empty(), Optional.empty());
        }

        public BrokenRule(FieldErrorCode code, String detail, int minimum, int maximum) {
            this(code, detail, Optional.of(minimum), Optional.of(maximum));
        }
    }

    public InvalidValueException(FieldErrorCode code, String detail) {
        this(List.of(new BrokenRule(code, detail)));
    }

    public InvalidValueException(FieldErrorCode code, String detail, int minimum, int maximum) {
        this(List.of(new BrokenRule(code, detail, minimum, maximum)));
    }

    public InvalidValueException(List<BrokenRule> brokenRules) {
        super(brokenRules.stream().map(BrokenRule::detail).collect(Collectors.joining(", ")));
        this.brokenRules = List.copyOf(brokenRules);
    }

    public List<BrokenRule> brokenRules() {
        return brokenRules;
    }
}
