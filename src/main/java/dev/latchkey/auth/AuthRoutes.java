package dev.latchkey.auth;

import dev.latchkey.auth.TokenStore.Issued;
import dev.latchkey.http.Caller;
import dev.latchkey.http.Fields;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import dev.latchkey.overload.Bulkhead;
import dev.latchkey.overload.OverloadedException;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** {@code /api/auth/…}: accounts, and the life of a token. */
public final class AuthRoutes {
    private final Accounts accounts;
    private final TokenStore tokens;
    private final PasswordPolicy policy;
    private final LoginThrottle throttle;
    private final Bulkhead lists;

    private record Account(String username, Instant createdDate) {}

    private record Login(String token, String username) {}

    private record Token(String token) {}

    private record Sessions(List<Entry> sessions) {}

    private record Entry(
            String id, Instant createdDate, Instant expiresDate, String userAgent, String address, boolean current) {}

    /** @param lists that are made at the same time */
    public AuthRoutes(
            Accounts accounts, TokenStore tokens, PasswordPolicy policy, LoginThrottle throttle, Bulkhead lists) {
        this.lists = lists;
        this.accounts = accounts;
        this.tokens = tokens;
        this.policy = policy;
        this.throttle = throttle;
    }

    public List<Route> routes() {
        return List.of(
                Route.open("POST", "/api/auth/register", this::register),
                Route.open("POST", "/api/auth/login", this::login),
                Route.guarded("POST", "/api/auth/refresh", this::refresh),
                Route.guarded("POST", "/api/auth/logout", this::logout),
                Route.guarded("GET", "/api/auth/me", this::me),
                Route.guarded(Route.ANY, "/api/auth/verify", AuthRoutes::verify),
                Route.guarded("GET", "/api/auth/sessions", this::sessions),
                Route.guarded("DELETE", "/api/auth/sessions", this::revokeAll),
                Route.guarded("DELETE", "/api/auth/sessions/{id}", this::revoke),
                Route.guarded("PUT", "/api/auth/password", this::changePassword),
                Route.guarded("DELETE", "/api/auth/account", this::deleteAccount));
    }

    private Response register(Request request) throws IOException {
        Fields fields = request.json();
        var username = fields.required("username", Username::new);
        var password = fields.required("password", text -> policy.check(text, fields.raw("username")));
        fields.check();
        User user =
                attempt(request, username.get().text(), null, () -> accounts.register(username.get(), password.get()));
        if (user == null) {
            throw new Problem(409, "The username " + username.get() + " is taken.");
        }
        Audit.log("registered", request, user.username(), "");
        return Response.json(201, new Account(user.username(), user.createdDate()));
    }

    private Response login(Request request) throws IOException {
        Fields fields = request.json();
        var username = fields.required("username", Function.identity());
        var password = fields.required("password", PasswordPolicy::normalize);
        fields.check();
        String name = Username.canonical(username.get());
        Issued issued =
                attempt(request, name, username.get(), () -> accounts.login(name, password.get(), request.client()));
        if (issued == null) {
            Audit.log("login failed", request, name, "");
            throw AuthFilter.unauthorized("The username or the password is wrong.", "");
        }
        Audit.log("login succeeded", request, name, issued.session().id());
        Audit.revoked(request, name, issued.ended());
        return Response.json(200, new Login(issued.token(), name));
    }

    private Response refresh(Request request, Caller caller) {
        // a token may have outlived its user, if a deletion has stopped half-way
        Issued issued = accounts.find(caller.username()) == null ? null : tokens.replace(caller, request.client());
        if (issued == null) {
            throw AuthFilter.invalidToken();
        }
        Audit.log("refreshed", request, caller.username(), issued.session().id());
        return Response.json(200, new Token(issued.token()));
    }

    private Response logout(Request request, Caller caller) {
        String session = sessionId(caller);
        if (tokens.revoke(caller.username(), caller.token())) {
            Audit.log("logged out", request, caller.username(), session);
        }
        return Response.noContent();
    }

    private Response me(Request request, Caller caller) {
        User user = accounts.find(caller.username());
        if (user == null) {
            throw AuthFilter.invalidToken(); // the account is gone, and its tokens are going
        }
        return Response.json(200, new Account(user.username(), user.createdDate()));
    }

    /** For reverse proxies. The status says it all; the header names the user to what stands behind the proxy. */
    private static Response verify(Request request, Caller caller) {
        return Response.noContent().with("X-Auth-User", caller.username());
    }

    private Response sessions(Request request, Caller caller) {
        return lists.run(() -> sessions(caller));
    }

    private Response sessions(Caller caller) {
        String current = sessionId(caller);
        List<Entry> entries = tokens.sessions(caller.username()).stream()
                .map(session -> new Entry(
                        session.id(),
                        session.createdDate(),
                        session.expiresDate(),
                        session.userAgent(),
                        session.address(),
                        session.id().equals(current)))
                .toList();
        return Response.json(200, new Sessions(entries));
    }

    private Response revoke(Request request, Caller caller) {
        Set<String> revoked = tokens.revokeSession(caller.username(), request.parameter());
        if (revoked.isEmpty()) {
            throw new Problem(404, "You have no such session."); // the same for one that is another user's
        }
        Audit.revoked(request, caller.username(), revoked);
        return Response.noContent();
    }

    private Response revokeAll(Request request, Caller caller) {
        Set<String> ended = tokens.revokeOthers(caller);
        ended.addAll(tokens.revokeOwn(caller, null));
        Audit.revoked(request, caller.username(), ended);
        return Response.noContent();
    }

    private Response changePassword(Request request, Caller caller) throws IOException {
        Fields fields = request.json();
        var current = fields.required("currentPassword", PasswordPolicy::normalize);
        var next = fields.required("newPassword", text -> policy.check(text, caller.username()));
        fields.check();
        Issued issued = attempt(
                request,
                caller.username(),
                caller.username(),
                () -> accounts.changePassword(caller, current.get(), next.get(), request.client()));
        if (issued == null) {
            // the new password was tried too: another guess
            var _ = throttle.count(request.client(), caller.username());
            throw wrongPassword(request, caller);
        }
        Audit.log(
                "password changed", request, caller.username(), issued.session().id());
        Audit.revoked(request, caller.username(), issued.ended());
        return Response.json(200, new Token(issued.token()));
    }

    private Response deleteAccount(Request request, Caller caller) throws IOException {
        Fields fields = request.json();
        var password = fields.required("password", PasswordPolicy::normalize);
        fields.check();
        String session = sessionId(caller);
        String name = caller.username();
        Set<String> ended = attempt(request, name, name, () -> accounts.delete(caller, password.get()));
        if (ended == null) {
            throw wrongPassword(request, caller);
        }
        Audit.log("account deleted", request, caller.username(), session);
        Audit.revoked(request, caller.username(), ended);
        return Response.noContent();
    }

    // no invalid_token: with that, a client would throw away a token that is still good
    private Problem wrongPassword(Request request, Caller caller) {
        Audit.log("wrong password", request, caller.username(), sessionId(caller));
        return AuthFilter.unauthorized("The password is wrong.", "");
    }

    /**
     * Makes an attempt that costs a hash. A successful one gives its count back, so that an office or a web backend behind one
     * address is not locked out by correct logins. A registration does not: what it stores stays.
     *
     * @param username for the audit log
     * @param name whose password is tried, as it was typed; null for a registration
     * @return null if the attempt has failed
     * @throws Problem 429
     */
    private <T> @Nullable T attempt(
            Request request, String username, @Nullable String name, Supplier<@Nullable T> action) {
        var counted = throttle.count(request.client(), name);
        if (counted.waitSeconds() > 0) {
            Audit.log("throttled", request, username, "");
            throw new Problem(429, "Too many attempts. Try again in " + counted.waitSeconds() + " seconds.")
                    .with("Retry-After", Long.toString(counted.waitSeconds()));
        }
        T result;
        try {
            result = action.get();
        } catch (OverloadedException e) {
            throttle.release(counted);
            throw e;
        }
        if (name != null && result != null) {
            throttle.succeeded(counted);
        } else if (name != null && throttle.alarm(name)) {
            Audit.manyFailures(username);
        }
        return result;
    }

    private String sessionId(Caller caller) {
        Session session = tokens.session(caller);
        return session == null ? "" : session.id();
    }
}
