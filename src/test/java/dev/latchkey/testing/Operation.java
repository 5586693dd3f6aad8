package dev.latchkey.testing;

import static dev.latchkey.testing.Operation.Effect.CHANGES_TODO;
import static dev.latchkey.testing.Operation.Effect.CREATES_TODO;
import static dev.latchkey.testing.Operation.Effect.CREATES_USER;
import static dev.latchkey.testing.Operation.Effect.DELETES_ALL_TODOS;
import static dev.latchkey.testing.Operation.Effect.DELETES_TODO;
import static dev.latchkey.testing.Operation.Effect.DELETES_USER;
import static dev.latchkey.testing.Operation.Effect.ENDS_ALL_SESSIONS;
import static dev.latchkey.testing.Operation.Effect.ENDS_OTHER_SESSION;
import static dev.latchkey.testing.Operation.Effect.ENDS_OWN_SESSION;
import static dev.latchkey.testing.Operation.Effect.FAILS;
import static dev.latchkey.testing.Operation.Effect.ISSUES_TOKEN;
import static dev.latchkey.testing.Operation.Effect.NEEDS_NO_TOKEN;
import static dev.latchkey.testing.Operation.Effect.ROTATES_TOKEN;
import static dev.latchkey.testing.Operation.Effect.SETS_PASSWORD;
import static dev.latchkey.testing.Operation.Effect.STARTS_SESSION;

import dev.latchkey.testing.Race.Call;
import dev.latchkey.testing.Races.Before;
import dev.latchkey.testing.TestClient.Answer;
import java.util.Set;
import java.util.function.Function;

/**
 * What a request does: how a client sends it, and its effects if it succeeds. From the effects, {@link RaceRules} derive
 * what must hold after a race.
 */
@SuppressWarnings("ImmutableEnumChecker") // functions and sets that never change
public enum Operation {
    REGISTER(
            client -> client.app().send("POST", "/api/auth/register", client.newCredentials()),
            Set.of(NEEDS_NO_TOKEN, ENDS_ALL_SESSIONS, DELETES_ALL_TODOS, CREATES_USER, SETS_PASSWORD)),
    LOGIN(client -> client.login(TestApp.PASSWORD), Set.of(NEEDS_NO_TOKEN, STARTS_SESSION, ISSUES_TOKEN)),
    LOGIN_THAT_UPGRADES_THE_HASH(LOGIN.request, LOGIN.effects),
    LOGIN_WITH_A_WRONG_PASSWORD(client -> client.login("a wrong password"), Set.of(NEEDS_NO_TOKEN, FAILS)),
    VERIFY(client -> client.send("GET", "/api/auth/verify", ""), Set.of()),
    REFRESH(client -> client.send("POST", "/api/auth/refresh", ""), Set.of(ROTATES_TOKEN, ISSUES_TOKEN)),
    LOGOUT(client -> client.send("POST", "/api/auth/logout", ""), Set.of(ENDS_OWN_SESSION)),
    LIST_SESSIONS(client -> client.send("GET", "/api/auth/sessions", ""), Set.of()),
    END_THE_OTHER_SESSION(
            client -> client.send("DELETE", "/api/auth/sessions/" + client.otherSessionId(), ""),
            Set.of(ENDS_OTHER_SESSION)),
    LOGOUT_EVERYWHERE(client -> client.send("DELETE", "/api/auth/sessions", ""), Set.of(ENDS_ALL_SESSIONS)),
    CHANGE_PASSWORD(
            client -> client.send("PUT", "/api/auth/password", client.passwords()),
            Set.of(ENDS_ALL_SESSIONS, SETS_PASSWORD, ISSUES_TOKEN)),
    DELETE_ACCOUNT(
            client -> client.send("DELETE", "/api/auth/account", "{\"password\":\"" + TestApp.PASSWORD + "\"}"),
            Set.of(ENDS_ALL_SESSIONS, DELETES_ALL_TODOS, DELETES_USER)),
    CREATE_TODO(client -> client.send("POST", "/api/todos", "{\"name\":\"new\"}"), Set.of(CREATES_TODO)),
    PATCH_TODO(
            client -> client.send(
                    "PATCH", client.before().todoPath(), client.call().patch()),
            Set.of(CHANGES_TODO)),
    DELETE_TODO(client -> client.send("DELETE", client.before().todoPath(), ""), Set.of(DELETES_TODO));

    /** How a request is sent, and what it has done if it has succeeded. */
    enum Effect {
        NEEDS_NO_TOKEN,
        FAILS,
        STARTS_SESSION,
        ISSUES_TOKEN,
        ROTATES_TOKEN,
        ENDS_OWN_SESSION,
        ENDS_OTHER_SESSION,
        ENDS_ALL_SESSIONS,
        SETS_PASSWORD,
        CREATES_USER,
        DELETES_USER,
        CREATES_TODO,
        CHANGES_TODO,
        DELETES_TODO,
        DELETES_ALL_TODOS
    }

    /**
     * The client that sends a request.
     *
     * @param app the instance that handles the request
     */
    record Client(TestApp app, Before before, Call call) {
        Answer send() {
            return call.operation().request.apply(this);
        }

        private Answer send(String method, String path, String body) {
            return app.send(method, path, before.sessions().get(call.session()).token(), body);
        }

        private Answer login(String password) {
            return app.login(Races.NAME, password);
        }

        private String newCredentials() {
            return TestApp.credentials(Races.NAME, call.newPassword());
        }

        private String passwords() {
            return "{\"currentPassword\":\"" + TestApp.PASSWORD + "\",\"newPassword\":\"" + call.newPassword() + "\"}";
        }

        private String otherSessionId() {
            return before.sessions().get(1 - call.session()).id();
        }
    }

    private final Function<Client, Answer> request;
    final Set<Effect> effects;

    Operation(Function<Client, Answer> request, Set<Effect> effects) {
        this.request = request;
        this.effects = effects;
    }
}
