package dev.latchkey;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.AccountAdministration.Result;
import dev.latchkey.accounts.PasswordPolicy;
import dev.latchkey.accounts.Username;
import dev.latchkey.api.Audit;
import dev.latchkey.logging.LineFormat;
import dev.latchkey.logging.Logs;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.redis.WrongTypeException;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The commands with which an operator manages accounts: {@code user COMMAND [NAME]}. They need the credentials of Redis,
 * but no running service. Standard output has the result, and standard error has errors and the audit log.
 */
final class UserCommands {
    static final String USAGE = """
            usage: latchkey user set-password NAME  creates a user or replaces the password, from standard input
                   latchkey user disable NAME       ends all sessions and refuses logins until set-password
                   latchkey user delete NAME        deletes a user with all sessions and todos
                   latchkey user sessions NAME      lists the sessions of a user
                   latchkey user end-sessions NAME  ends the sessions of a user
                   latchkey user list               lists all users""";

    private final AccountAdministration users;
    private final Core core;
    private final PasswordPolicy policy;
    private final CommandOutput out;

    /** A command has failed. The message says why. */
    private static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failure(String message) {
            super(message, null, false, false);
        }
    }

    private UserCommands(Core core, PasswordPolicy policy, CommandOutput out) {
        this.core = core;
        this.policy = policy;
        this.out = out;
        users = new AccountAdministration(core.accounts());
    }

    /**
     * Runs a command.
     *
     * @param arguments after {@code user}
     * @return the exit code: 0 if done, 1 if the command failed, and 2 if its arguments or the configuration are wrong
     */
    static int run(List<String> arguments, Map<String, String> environment) {
        String command = arguments.isEmpty() ? "" : arguments.getFirst();
        String name = arguments.size() == 2 ? arguments.get(1) : "";
        boolean isValid = switch (command) {
            case "set-password", "disable", "delete", "sessions", "end-sessions" -> !name.isEmpty();
            case "list" -> arguments.size() == 1;
            default -> false;
        };
        if (!isValid) {
            return Main.report(Main.BAD_CONFIGURATION, "wrong arguments of user\n" + USAGE);
        }
        if (command.equals("set-password")) {
            try {
                var _ = new Username(name);
            } catch (IllegalArgumentException e) {
                return Main.report(Main.BAD_CONFIGURATION, "NAME " + e.getMessage());
            }
        }
        Logs logs = Logs.install(FileDescriptor.err);
        Logger redisLog = Logger.getLogger("latchkey.redis"); // forgets its level if it is not referenced
        redisLog.setLevel(Level.SEVERE); // the command itself reports that Redis is unavailable
        try {
            Config config = Config.forCommand(environment);
            logs.configure(config.logFormat(), config.logLevel());
            return run(command, name, config);
        } catch (Config.Invalid e) {
            return Main.report(Main.BAD_CONFIGURATION, e.getMessage());
        } finally {
            logs.flush();
        }
    }

    private static int run(String command, String name, Config config) {
        try (var core = Core.open(config);
                var out = new CommandOutput()) {
            var commands = new UserCommands(core, new PasswordPolicy(config.passwordMinLength()), out);
            commands.run(command, name);
            return 0;
        } catch (Failure e) {
            return Main.report(Main.FAILED, e.getMessage());
        } catch (RedisUnavailableException e) {
            return Main.report(Main.FAILED, "Redis is unavailable: " + e.explanation());
        } catch (ContentionException e) {
            String reason = "other requests are changing the same user: try again in " + e.retrySeconds() + " s";
            return Main.report(Main.FAILED, reason);
        } catch (IllegalStateException | WrongTypeException e) {
            return Main.report(Main.FAILED, "a stored record is damaged: " + e.getMessage());
        } catch (UncheckedIOException e) {
            return outputFailed(e.getCause());
        } catch (IOException e) {
            return outputFailed(e);
        }
    }

    private static int outputFailed(@Nullable Throwable e) {
        String reason = e == null ? "" : String.valueOf(e.getMessage());
        boolean readerHasLeft = reason.equals("Broken pipe"); // as head does when it has enough
        return readerHasLeft ? 0 : Main.report(Main.FAILED, "cannot read or write: " + reason);
    }

    private void run(String command, String typed) throws IOException {
        // Before the operator types a password. The first connection may take longer than a command may.
        core.redis().awaitFirstAttempt();
        core.redis().ping();
        String name = users.resolve(typed);
        switch (command) {
            case "set-password" -> setPassword(new Username(typed));
            case "disable" -> report("disabled", "account disabled", name, users.disable(name));
            case "delete" -> report("deleted", "account deleted", name, users.delete(name));
            case "sessions" -> sessions(name);
            case "end-sessions" -> report("", "", name, users.endSessions(name));
            default -> list();
        }
    }

    private void setPassword(Username username) throws IOException {
        String name = username.text();
        try {
            String password = policy.check(PasswordInput.read(), name);
            Result result = users.setPassword(username, password);
            if (result.userExisted()) {
                report("password changed", "password changed", name, result);
            } else {
                report("created", "registered", name, result);
            }
        } catch (IllegalArgumentException e) {
            throw new Failure("the password " + e.getMessage());
        }
    }

    private void report(String done, String event, String name, Result result) {
        boolean isDone = result.userExisted() || event.equals("registered");
        Audit.logCommand(isDone ? event : "", name, result.endedSessionIds());
        if (!isDone) {
            throw noSuchUser(name);
        }
        String what = done.isEmpty() ? "" : done + ", ";
        out.line(name + ": " + what + "sessions ended: "
                + result.endedSessionIds().size());
    }

    private static Failure noSuchUser(String name) {
        return new Failure("no such user: " + LineFormat.safe(name));
    }

    private void sessions(String name) {
        if (!users.exists(name)) {
            throw noSuchUser(name);
        }
        for (var session : core.tokens().sessions(name)) {
            out.row(
                    session.id(),
                    CommandOutput.time(session.createdDate()),
                    CommandOutput.time(session.expiresDate()),
                    session.address(),
                    session.userAgent());
        }
    }

    private void list() {
        users.forEachUser(user -> {
            String state = user.state().toString().toLowerCase(Locale.ROOT);
            String created = CommandOutput.time(user.createdDate());
            out.row(user.username(), created, state);
        });
    }
}
