package dev.latchkey.api;

import dev.latchkey.accounts.AccountService;
import dev.latchkey.accounts.LoginThrottle;
import dev.latchkey.accounts.PasswordPolicy;
import dev.latchkey.accounts.User;
import dev.latchkey.accounts.Username;
import dev.latchkey.accounts.WrongPasswordException;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.RequestFields;
import dev.latchkey.http.Response;
import dev.latchkey.overload.OverloadedException;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.IssuedToken;
import dev.latchkey.tokens.TokenStore;
import java.io.IOException;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The routes {@code /api/auth/…}: accounts, tokens and sessions.
 *
 * @param registrationOpen if false, only an operator can create accounts
 */
public record AuthHandlers(
        boolean registrationOpen,
        AccountService accounts,
        TokenStore tokens,
        PasswordPolicy policy,
        LoginThrottle throttle,
        AuthMetrics metrics) {
    private record AccountBody(String username, Instant createdDate) {}

    private record LoginBody(String token, String username, Instant expiresDate) {}

    private record TokenBody(String token, Instant expiresDate) {
        TokenBody(IssuedToken issued) {
            this(issued.token(), issued.session().expiresDate());
        }
    }

    Response register(Request request) throws IOException {
        if (!registrationOpen) {
            throw new Problem(403, "Registration is closed. Ask the operator for an account.");
        }
        RequestFields fields = request.json();
        var username = fields.required("username", Username::new);
        var password = fields.required("password", text -> policy.check(text, fields.rawValue("username")));
        fields.throwIfInvalid();
        String name = username.get().text();
        // A registration does not give its attempt back, because what it stores stays.
        User user = rateLimited(request, name, null, () -> accounts.register(username.get(), password.get()));
        if (user == null) {
            throw new Problem(409, "The username " + name + " is taken.");
        }
        Audit.log("registered", request, name, "");
        return Response.json(201, new AccountBody(name, user.createdDate()));
    }

    Response login(Request request) throws IOException {
        RequestFields fields = request.json();
        var username = fields.required("username", Function.identity());
        var password = fields.required("password", PasswordPolicy::normalize);
        fields.throwIfInvalid();
        String name = Username.canonical(username.get());
        try {
            Supplier<IssuedToken> login = () -> accounts.login(name, password.get(), request.client());
            IssuedToken issued = metrics.login(() -> rateLimited(request, name, username.get(), login));
            Audit.log("login succeeded", request, name, issued.session().id());
            Audit.sessionsRevoked(request, name, issued.endedSessionIds());
            return Response.json(
                    200, new LoginBody(issued.token(), name, issued.session().expiresDate()));
        } catch (WrongPasswordException _) {
            Audit.log("login failed", request, name, "");
            throw AuthFilter.unauthorized("The username or the password is wrong.", "");
        }
    }

    Response refresh(Request request, Caller caller) {
        // A token may have outlived its user, if deleting the account has failed half-way.
        boolean userExists = accounts.find(caller.username()) != null;
        IssuedToken issued = userExists ? tokens.rotate(caller, request.client()) : null;
        if (issued == null) {
            throw AuthFilter.invalidToken();
        }
        Audit.log("refreshed", request, caller.username(), issued.session().id());
        return Response.json(200, new TokenBody(issued));
    }

    Response logout(Request request, Caller caller) {
        String sessionId = tokens.endSession(caller);
        if (sessionId == null) {
            throw AuthFilter.invalidToken();
        }
        Audit.log("logged out", request, caller.username(), sessionId);
        return Response.NO_CONTENT;
    }

    Response me(Request request, Caller caller) {
        User user = accounts.find(caller.username());
        if (user == null) {
            throw AuthFilter.invalidToken(); // the account has just been deleted
        }
        return Response.json(200, new AccountBody(user.username(), user.createdDate()));
    }

    /**
     * For reverse proxies: the status code is the result, and the headers tell the upstream the username. The status
     * code is 200, because Envoy and the Kubernetes Gateway API take every other one for a refusal.
     */
    Response verify(Request request, Caller caller) {
        return Response.empty(200, Map.of("X-Auth-User", caller.username(), "Remote-User", caller.username()));
    }

    Response changePassword(Request request, Caller caller) throws IOException {
        RequestFields fields = request.json();
        var current = fields.required("currentPassword", PasswordPolicy::normalize);
        var next = fields.required("newPassword", text -> policy.check(text, caller.username()));
        fields.throwIfInvalid();
        String name = caller.username();
        try {
            Supplier<IssuedToken> change =
                    () -> accounts.changePassword(caller, current.get(), next.get(), request.client());
            IssuedToken issued = rateLimited(request, name, name, change);
            Audit.log("password changed", request, name, issued.session().id());
            Audit.sessionsRevoked(request, name, issued.endedSessionIds());
            return Response.json(200, new TokenBody(issued));
        } catch (WrongPasswordException _) {
            // The new password was compared with the hash too, so this was a second guess.
            var _ = throttle.acquire(request.client(), name);
            throw wrongPassword(request, caller);
        }
    }

    Response deleteAccount(Request request, Caller caller) throws IOException {
        RequestFields fields = request.json();
        var password = fields.required("password", PasswordPolicy::normalize);
        fields.throwIfInvalid();
        String sessionId = tokens.sessionId(caller);
        String name = caller.username();
        try {
            Set<String> ended = rateLimited(request, name, name, () -> accounts.delete(caller, password.get()));
            Audit.log("account deleted", request, name, sessionId);
            Audit.sessionsRevoked(request, name, ended);
            return Response.NO_CONTENT;
        } catch (WrongPasswordException _) {
            throw wrongPassword(request, caller);
        }
    }

    // Has no error="invalid_token", because a client would then discard a token that is still valid.
    private Problem wrongPassword(Request request, Caller caller) {
        Audit.log("wrong password", request, caller.username(), tokens.sessionId(caller));
        return AuthFilter.unauthorized("The password is wrong.", "");
    }

    /**
     * Makes an attempt that computes a hash. A successful attempt does not count, so that correct logins cannot lock
     * out an office or a web backend behind one address.
     *
     * @param username for the audit log
     * @param name whose password is tried, as typed; null for an attempt that counts even if it succeeds
     * @throws Problem 429 if there were too many attempts
     */
    private <T extends @Nullable Object> T rateLimited(
            Request request, String username, @Nullable String name, Supplier<T> action) {
        var attempt = throttle.acquire(request.client(), name);
        if (attempt.retrySeconds() > 0) {
            metrics.rateLimited();
            Audit.log("throttled", request, username, "");
            throw Problem.tooManyAttempts(attempt.retrySeconds());
        }
        try {
            T result = action.get();
            if (name != null) {
                throttle.reset(attempt);
            }
            return result;
        } catch (OverloadedException e) {
            throttle.release(attempt);
            throw e;
        } catch (WrongPasswordException e) {
            if (name != null && throttle.recordFailedLogin(name)) {
                Audit.manyFailedLogins(username);
            }
            throw e;
        }
    }
}
