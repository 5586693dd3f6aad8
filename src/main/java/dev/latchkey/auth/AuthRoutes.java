package dev.latchkey.auth;

import com.sun.net.httpserver.Filter;
import dev.latchkey.http.Caller;
import dev.latchkey.http.Fields;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import dev.latchkey.http.Response;
import dev.latchkey.http.Route;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** {@code /api/auth/…}: registration, login, and the life of a token. */
public final class AuthRoutes {
    private final UserStore users;
    private final TokenStore tokens;
    private final PasswordHasher hasher;
    private final PasswordPolicy policy;
    private final InstantSource clock;

    private record Account(String username, Instant createdDate) {}

    private record Login(String token, String username) {}

    private record Refreshed(String token) {}

    /** @param tokenTtl of every token issued, at least one second */
    public AuthRoutes(
            RedisClusterCommands<String, String> redis,
            Duration tokenTtl,
            PasswordHasher hasher,
            PasswordPolicy policy,
            InstantSource clock) {
        this.users = new UserStore(redis);
        this.tokens = new TokenStore(redis, tokenTtl);
        this.hasher = hasher;
        this.policy = policy;
        this.clock = clock;
    }

    public List<Route> routes() {
        return List.of(
                Route.open("POST", "/api/auth/register", this::register),
                Route.open("POST", "/api/auth/login", this::login),
                Route.guarded("POST", "/api/auth/refresh", this::refresh),
                Route.guarded("POST", "/api/auth/logout", this::logout),
                Route.guarded("GET", "/api/auth/me", this::me),
                Route.guarded(Route.ANY, "/api/auth/verify", AuthRoutes::verify));
    }

    /** What stands before guarded routes, these and others'. */
    public Filter filter() {
        return new AuthFilter(tokens);
    }

    private Response register(Request request) throws IOException {
        Fields fields = request.json();
        var username = fields.required("username", Username::new);
        var password = fields.required("password", policy::check);
        fields.check();
        if (PasswordPolicy.isName(password.get(), username.get())) {
            fields.fault("password", "must not be the username");
            fields.check();
        }
        Instant now = clock.instant().truncatedTo(ChronoUnit.MILLIS);
        var user = new User(username.get().text(), hasher.hash(password.get()), now);
        if (!users.create(user)) {
            throw new Problem(409, "The username " + user.username() + " is taken.");
        }
        return Response.json(201, new Account(user.username(), user.createdDate()));
    }

    private Response login(Request request) throws IOException {
        Fields fields = request.json();
        var username = fields.required("username", Function.identity());
        var password = fields.required("password", PasswordPolicy::normalize);
        fields.check();
        User user = find(username.get());
        boolean good = hasher.verify(password.get(), user == null ? null : user.passwordHash());
        if (user == null || !good) {
            throw loginFailed();
        }
        String token = tokens.issue(user.username());
        // the password may have been changed, or the account deleted, while the old one was being verified
        if (!user.equals(users.find(user.username()))) {
            tokens.revoke(token);
            throw loginFailed();
        }
        return Response.json(200, new Login(token, user.username()));
    }

    private @Nullable User find(String name) {
        try {
            return users.find(new Username(name).text());
        } catch (IllegalArgumentException _) {
            return null; // not a name that could exist: the same as one that does not
        }
    }

    private static Problem loginFailed() {
        return AuthFilter.unauthorized("The username or the password is wrong.", "");
    }

    private Response refresh(Request request, Caller caller) {
        String token = tokens.replace(caller.token(), caller.username());
        if (token == null) {
            throw AuthFilter.invalidToken();
        }
        return Response.json(200, new Refreshed(token));
    }

    private Response logout(Request request, Caller caller) {
        tokens.revoke(caller.token());
        return Response.noContent();
    }

    private Response me(Request request, Caller caller) {
        User user = users.find(caller.username());
        if (user == null) {
            throw AuthFilter.invalidToken(); // the account is gone, and its tokens are going
        }
        return Response.json(200, new Account(user.username(), user.createdDate()));
    }

    /** For reverse proxies. The status says it all; the header names the user to what stands behind the proxy. */
    private static Response verify(Request request, Caller caller) {
        return Response.noContent().with("X-Auth-User", caller.username());
    }
}
