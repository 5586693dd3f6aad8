package dev.latchkey.testing;

import dev.latchkey.testing.Scheduler.Step;

/** A step with its command. */
record Transition(Step step, RedisCommand command) {
    /** Reports whether the order of two steps matters. */
    boolean dependsOn(Transition other) {
        // A command that Redis does not execute has no effect on others.
        boolean bothExecuted = step.fault().isExecuted && other.step.fault().isExecuted;
        return step.request() == other.step.request() || (bothExecuted && !command.commutesWith(other.command));
    }
}
