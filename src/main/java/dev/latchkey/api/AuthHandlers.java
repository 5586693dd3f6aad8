package dev.latchkey.api;

import dev.latchkey.accounts.AccountService;
import dev.latchkey.accounts.Audit;
import dev.latchkey.accounts.PasswordPolicy;
import dev.latchkey.accounts.User;
import dev.latchkey.accounts.Username;
import dev.latchkey.http.ErrorCode;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.RequestFields;
import dev.latchkey.http.Response;
import dev.latchkey.tokens.Caller;
import dev.latchkey.tokens.IssuedToken;
import dev.latchkey.tokens.SessionOptions;
import dev.latchkey.tokens.TokenStore;
import java.io.IOException;
import java.time.Instant;
import java.util.Map;

/**
 * The routes {@code /api/auth/…} of accounts and tokens.
 *
 * @param registrationOpen if false, only an operator can create accounts
 */
public record AuthHandlers(
        boolean registrationOpen, AccountService accounts, TokenStore tokens, PasswordPolicy policy) {
    private record AccountBody(String username, Instant createdDate) {}

    private record LoginBody(String token, String username, Instant expiresDate) {}

    private record TokenBody(String token, Instant expiresDate) {
        TokenBody(IssuedToken issued) {
            this(issued.token(), issued.session().expiresDate());
        }
    }

    Response register(Request request) throws IOException {
        if (!registrationOpen) {
            throw new Problem(
                    ErrorCode.REGISTRATION_CLOSED, "Registration is closed. Ask the operator for an account.");
        }
        RequestFields fields = request.json();
        var username = fields.required("username", Username::new);
        var password = fields.required("password", text -> policy.check(text, fields.rawValue("username")));
        fields.throwIfInvalid();
        User user = accounts.register(username.get(), password.get(), request.client());
        if (user == null) {
            throw new Problem(
                    ErrorCode.USERNAME_TAKEN, "The username " + username.get().text() + " is taken.");
        }
        return Response.json(201, new AccountBody(user.username(), user.createdDate()));
    }

    Response login(Request request) throws IOException {
        RequestFields fields = request.json();
        var username = fields.required("username", String::strip); // the keyboards of phones add a space
        var password = fields.required("password", PasswordPolicy::normalize);
        var sessionName = fields.optional("name", SessionOptions::checkName);
        var expiresIn = fields.optional(
                "expiresIn", 1, Math.toIntExact(tokens.lifetimes().session().toSeconds()));
        fields.throwIfInvalid();
        var options = new SessionOptions(sessionName, expiresIn);
        IssuedToken issued = accounts.login(username.get(), password.get(), options, request.client());
        if (issued == null) {
            throw AuthFilter.unauthorized(ErrorCode.WRONG_CREDENTIALS, "The username or the password is wrong.");
        }
        String name = Username.canonical(username.get());
        return Response.json(
                200, new LoginBody(issued.token(), name, issued.session().expiresDate()));
    }

    Response refresh(Request request, Caller caller) {
        IssuedToken issued = accounts.refresh(caller, request.client());
        if (issued == null) {
            throw AuthFilter.invalidToken();
        }
        return Response.json(200, new TokenBody(issued));
    }

    Response logout(Request request, Caller caller) {
        String sessionId = tokens.endSession(caller);
        if (sessionId == null) {
            throw AuthFilter.invalidToken();
        }
        Audit.log("logged out", request.client(), caller.username(), sessionId);
        return Response.NO_CONTENT;
    }

    Response me(Request request, Caller caller) {
        User user = accounts.users().findEnabled(caller.username());
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
        IssuedToken issued = accounts.changePassword(caller, current.get(), next.get(), request.client());
        return Response.json(200, new TokenBody(issued));
    }

    Response deleteAccount(Request request, Caller caller) throws IOException {
        RequestFields fields = request.json();
        var password = fields.required("password", PasswordPolicy::normalize);
        fields.throwIfInvalid();
        accounts.delete(caller, password.get(), request.client());
        return Response.NO_CONTENT;
    }
}
