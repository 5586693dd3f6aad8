package dev.latchkey.testing;

import dev.latchkey.testing.Operation.Effect;
import dev.latchkey.testing.Race.Call;
import dev.latchkey.testing.TestClient.Answer;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request and its response.
 *
 * @param fault that one of its commands met
 * @param repeated whether the response is the one to the client's second try
 */
record Exchange(Call call, Answer answer, Fault fault, boolean repeated) {
    boolean has(Effect effect) {
        // An operator's command that sets a password creates the user if there is none.
        boolean created = call.operation() == Operation.SET_PASSWORD && status() == 201;
        return call.operation().effects.contains(effect) || (created && Operation.REGISTER.effects.contains(effect));
    }

    /** Reports whether the request may have had the effect. */
    boolean mayHave(Effect effect) {
        boolean mayHaveCreated = call.operation() == Operation.SET_PASSWORD && (repeated || !succeeded());
        boolean mayHave = has(effect) || (mayHaveCreated && Operation.REGISTER.effects.contains(effect));
        return mayHave && mayHaveSucceeded();
    }

    /** Reports whether the request ends a session from before the race if it succeeds. */
    boolean endsSession(int session) {
        return has(Effect.ENDS_ALL_SESSIONS)
                || has(call.session() == session ? Effect.ENDS_OWN_SESSION : Effect.ENDS_OTHER_SESSION);
    }

    /** Returns 0 if there is no response, because the process has ended. */
    int status() {
        return fault == Fault.GONE && !repeated ? 0 : answer.status();
    }

    boolean succeeded() {
        return status() >= 200 && status() < 300;
    }

    /** Returns the first try of a repeated request. It may have had its effects too. */
    Exchange firstTry() {
        return new Exchange(call, new Answer(503, Map.of(), ""), fault, false);
    }

    /** Reports whether the client does not know if its request had its effects. */
    boolean isInterrupted() {
        return !repeated && (status() == 0 || status() == 503);
    }

    /** Reports whether the response says that the request's token is valid. */
    boolean acceptsToken() {
        return has(Effect.ACCEPTS_ANY_TOKEN) ? answer.text().contains("\"active\":true") : succeeded();
    }

    boolean mayHaveSucceeded() {
        return succeeded() || isInterrupted() || repeated;
    }

    /** Returns the token that the client has received, or null. */
    @Nullable
    String newToken() {
        return succeeded() && answer.text().startsWith("{\"token\"") ? answer.field("token") : null;
    }
}
