package dev.latchkey.testing;

import static dev.latchkey.testing.Operation.Effect.ACCEPTS_ANY_TOKEN;
import static dev.latchkey.testing.Operation.Effect.CHANGES_TODO;
import static dev.latchkey.testing.Operation.Effect.CREATES_TODO;
import static dev.latchkey.testing.Operation.Effect.CREATES_USER;
import static dev.latchkey.testing.Operation.Effect.DELETES_ALL_TODOS;
import static dev.latchkey.testing.Operation.Effect.DELETES_TODO;
import static dev.latchkey.testing.Operation.Effect.DELETES_USER;
import static dev.latchkey.testing.Operation.Effect.DISABLES_LOGIN;
import static dev.latchkey.testing.Operation.Effect.ENDS_ALL_SESSIONS;
import static dev.latchkey.testing.Operation.Effect.ENDS_OTHER_SESSION;
import static dev.latchkey.testing.Operation.Effect.ENDS_OWN_SESSION;
import static dev.latchkey.testing.Operation.Effect.FAILS;
import static dev.latchkey.testing.Operation.Effect.ISSUES_TOKEN;
import static dev.latchkey.testing.Operation.Effect.NEEDS_NO_TOKEN;
import static dev.latchkey.testing.Operation.Effect.ROTATES_TOKEN;
import static dev.latchkey.testing.Operation.Effect.SETS_PASSWORD;
import static dev.latchkey.testing.Operation.Effect.STARTS_SESSION;
import static dev.latchkey.testing.Operation.Effect.VERIFIES_PASSWORD;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.AccountAdministration.Result;
import dev.latchkey.accounts.Username;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.testing.Race.Call;
import dev.latchkey.testing.Races.Before;
import dev.latchkey.testing.TestClient.Answer;
import dev.latchkey.tokens.IssuedToken;
import dev.latchkey.tokens.SessionOptions;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What a request does: how a client or an operator sends it, and its effects if it succeeds. From the effects, {@link
 * RaceRules} derive what must hold after a race.
 *
 * <p>In the first order of a pair, the request that comes first here is finished before the other one begins. The checks
 * of a token are last, so that each is run after every revocation.
 */
@SuppressWarnings("ImmutableEnumChecker") // functions and sets that never change
public enum Operation {
    REGISTER(
            client -> client.app().send("POST", "/api/auth/register", client.newCredentials()),
            Set.of(NEEDS_NO_TOKEN, ENDS_ALL_SESSIONS, DELETES_ALL_TODOS, CREATES_USER, SETS_PASSWORD)),
    LOGIN(
            client -> client.login(TestApp.PASSWORD),
            Set.of(NEEDS_NO_TOKEN, VERIFIES_PASSWORD, STARTS_SESSION, ISSUES_TOKEN)),
    LOGIN_WITH_A_NAME(client -> Races.loginWithName(client.app()), LOGIN.effects),
    LOGIN_THAT_UPGRADES_THE_HASH(LOGIN.request, LOGIN.effects),
    LOGIN_WITH_A_WRONG_PASSWORD(client -> client.login("a wrong password"), Set.of(NEEDS_NO_TOKEN, FAILS)),
    REFRESH(client -> client.send("POST", "/api/auth/refresh", ""), Set.of(ROTATES_TOKEN, ISSUES_TOKEN)),
    LOGOUT(client -> client.send("POST", "/api/auth/logout", ""), Set.of(ENDS_OWN_SESSION)),
    LIST_SESSIONS(client -> client.send("GET", "/api/auth/sessions", ""), Set.of()),
    END_THE_OTHER_SESSION(
            client -> client.send("DELETE", "/api/auth/sessions/" + client.otherSessionId(), ""),
            Set.of(ENDS_OTHER_SESSION)),
    LOGOUT_EVERYWHERE(client -> client.send("DELETE", "/api/auth/sessions", ""), Set.of(ENDS_ALL_SESSIONS)),
    CHANGE_PASSWORD(
            client -> client.send("PUT", "/api/auth/password", client.passwords()),
            Set.of(VERIFIES_PASSWORD, ENDS_ALL_SESSIONS, SETS_PASSWORD, ISSUES_TOKEN)),
    DELETE_ACCOUNT(
            client -> client.send("DELETE", "/api/auth/account", "{\"password\":\"" + TestApp.PASSWORD + "\"}"),
            Set.of(VERIFIES_PASSWORD, ENDS_ALL_SESSIONS, DELETES_ALL_TODOS, DELETES_USER)),
    CREATE_TODO(client -> client.send("POST", "/api/todos", "{\"name\":\"new\"}"), Set.of(CREATES_TODO)),
    PATCH_TODO(
            client -> client.send(
                    "PATCH", client.before().todoPath(), client.call().patch()),
            Set.of(CHANGES_TODO)),
    DELETE_TODO(client -> client.send("DELETE", client.before().todoPath(), ""), Set.of(DELETES_TODO)),
    // The commands of an operator, without the first read of the record: it only decides how the name is spelled.
    SET_PASSWORD(
            client -> client.operate(operator ->
                    operator.setPassword(new Username(Races.NAME), client.call().newPassword())),
            Set.of(NEEDS_NO_TOKEN, ENDS_ALL_SESSIONS, SETS_PASSWORD)),
    DISABLE(
            client -> client.operate(operator -> operator.disable(Races.NAME)),
            Set.of(NEEDS_NO_TOKEN, ENDS_ALL_SESSIONS, DISABLES_LOGIN)),
    DELETE(
            client -> client.operate(operator -> operator.delete(Races.NAME)),
            Set.of(NEEDS_NO_TOKEN, ENDS_ALL_SESSIONS, DELETES_ALL_TODOS, DELETES_USER)),
    END_SESSIONS(
            client -> client.operate(operator -> operator.endSessions(Races.NAME)),
            Set.of(NEEDS_NO_TOKEN, ENDS_ALL_SESSIONS)),
    END_ALL_SESSIONS(
            client -> client.operate(operator -> operator.accounts().tokens().revokeAll()), END_SESSIONS.effects),
    ISSUE_TOKEN(
            client -> client.operate(operator -> operator.issueToken(Races.NAME, Client.MACHINE)),
            Set.of(NEEDS_NO_TOKEN, STARTS_SESSION, ISSUES_TOKEN)),
    // The requests of a program with client credentials.
    REVOKE(client -> client.sendForm("/api/auth/revoke"), Set.of(ENDS_OWN_SESSION, ACCEPTS_ANY_TOKEN)),
    INTROSPECT(client -> client.sendForm("/api/auth/introspect"), Set.of(ACCEPTS_ANY_TOKEN)),
    VERIFY(client -> client.send("GET", "/api/auth/verify", ""), Set.of());

    /** How a request is sent, and what it has done if it has succeeded. */
    enum Effect {
        NEEDS_NO_TOKEN,
        /** It succeeds whether the token is valid or not (RFC 7009 §2.2, RFC 7662 §2.2). */
        ACCEPTS_ANY_TOKEN,
        VERIFIES_PASSWORD,
        FAILS,
        STARTS_SESSION,
        ISSUES_TOKEN,
        ROTATES_TOKEN,
        ENDS_OWN_SESSION,
        ENDS_OTHER_SESSION,
        ENDS_ALL_SESSIONS,
        SETS_PASSWORD,
        DISABLES_LOGIN,
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
        private static final SessionOptions MACHINE = new SessionOptions(Optional.of("a machine"), Optional.of(3600));

        Answer send() {
            return call.operation().request.apply(this);
        }

        private Answer send(String method, String path, String body) {
            return app.send(method, path, token(), body);
        }

        private String token() {
            return before.sessions().get(call.session()).token();
        }

        private Answer sendForm(String path) {
            return app.sendForm(path, "token=" + token());
        }

        // 404 if there is no such user, or if the user is disabled; 201 if there was none.
        private Answer operate(Function<AccountAdministration, @Nullable Object> command) {
            try {
                Object result =
                        command.apply(new AccountAdministration(app.app().core().accounts()));
                return switch (result) {
                    case null -> new Answer(404, Map.of(), "");
                    case IssuedToken issued -> new Answer(200, Map.of(), "{\"token\":\"" + issued.token() + "\"}");
                    case Result done -> new Answer(done.userExisted() ? 200 : 201, Map.of(), "");
                    default -> new Answer(200, Map.of(), "");
                };
            } catch (ContentionException | RedisUnavailableException _) {
                return new Answer(503, Map.of(), "");
            }
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
