package dev.latchkey.cli;

import static dev.latchkey.cli.CommandException.BAD_ARGUMENTS;
import static dev.latchkey.cli.CommandException.FAILED;
import static java.util.Map.entry;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.AccountAdministration.Result;
import dev.latchkey.accounts.AccountService;
import dev.latchkey.accounts.Audit;
import dev.latchkey.accounts.PasswordPolicy;
import dev.latchkey.accounts.Username;
import dev.latchkey.logging.LineFormat;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.Redis;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.redis.WrongTypeException;
import dev.latchkey.tokens.Session;
import dev.latchkey.tokens.TokenStore;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The commands with which an operator manages accounts: {@code user COMMAND [NAME]}. They need the credentials of Redis,
 * but no running service. Standard output has the result, and standard error has errors and the audit log.
 */
public final class UserCommands {
    public static final String USAGE = """
            usage: latchkey user set-password NAME  creates a user or replaces the password, from standard input
                   latchkey user disable NAME       ends all sessions and refuses logins until set-password
                   latchkey user delete NAME        deletes a user with all sessions and todos
                   latchkey user sessions NAME      lists the sessions of a user
                   latchkey user end-sessions NAME  ends the sessions of a user
                   latchkey user list               lists all users""";

    private static final String WITHOUT_NAME = "list";
    private static final Map<String, Action> COMMANDS = Map.ofEntries(
            entry("set-password", UserCommands::setPassword),
            entry("disable", (it, name) -> it.report("disabled, ", "account disabled", name, it.users.disable(name))),
            entry("delete", (it, name) -> it.report("deleted, ", "account deleted", name, it.users.delete(name))),
            entry("sessions", UserCommands::sessions),
            entry("end-sessions", (it, name) -> it.report("", "", name, it.users.endSessions(name))),
            entry(WITHOUT_NAME, (it, _) -> it.list()));

    private final Redis redis;
    private final TokenStore tokens;
    private final AccountAdministration users;
    private final PasswordPolicy policy;
    private final Writer out = new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8);

    private interface Action {
        void run(UserCommands it, String name) throws CommandException, IOException;
    }

    public UserCommands(Redis redis, AccountService accounts, PasswordPolicy policy) {
        this.redis = redis;
        this.policy = policy;
        tokens = accounts.tokens();
        users = new AccountAdministration(accounts);
    }

    /**
     * Checks the arguments after {@code user}, without connecting to Redis.
     *
     * @throws CommandException if they are not those of a command; the message says which there are
     */
    public static void check(List<String> arguments) throws CommandException {
        String command = arguments.isEmpty() ? "" : arguments.getFirst();
        int expected = command.equals(WITHOUT_NAME) ? 1 : 2;
        if (!COMMANDS.containsKey(command) || arguments.size() != expected || arguments.contains("")) {
            throw new CommandException(BAD_ARGUMENTS, "wrong arguments of user\n" + USAGE);
        }
        if (arguments.getLast().contains("\uFFFD")) {
            throw new CommandException(BAD_ARGUMENTS, "the locale cannot decode NAME: set LANG=C.UTF-8");
        }
        if (command.equals("set-password")) {
            try {
                var _ = new Username(arguments.getLast());
            } catch (IllegalArgumentException e) {
                throw new CommandException(BAD_ARGUMENTS, "NAME " + e.getMessage());
            }
        }
    }

    /**
     * Runs a command.
     *
     * @param arguments that {@link #check} has accepted
     */
    public void run(List<String> arguments) throws CommandException {
        try (out) {
            redis.awaitFirstAttempt(); // which may take longer than a command may
            // Reads a record, so an operator types a password only if Redis is available.
            String name = arguments.size() == 1 ? "" : users.resolve(arguments.getLast());
            Objects.requireNonNull(COMMANDS.get(arguments.getFirst())).run(this, name);
        } catch (RedisUnavailableException e) {
            throw new CommandException(FAILED, "Redis is unavailable: " + e.explanation());
        } catch (ContentionException e) {
            String reason = "other requests are changing the same user: try again in " + e.retrySeconds() + " s";
            throw new CommandException(FAILED, reason);
        } catch (IllegalStateException | WrongTypeException e) {
            throw new CommandException(FAILED, "a stored record is damaged: " + e.getMessage());
        } catch (IOException | UncheckedIOException e) {
            if (!"Broken pipe".equals(e.getMessage())) { // a reader such as head leaves when it has enough
                throw new CommandException(FAILED, "cannot read or write: " + e.getMessage());
            }
        }
    }

    private void setPassword(String name) throws CommandException, IOException {
        try {
            var username = new Username(name);
            String password = policy.check(PasswordInput.read(), username.text());
            Result result = users.setPassword(username, password);
            if (result.userExisted()) {
                report("password changed, ", "password changed", username.text(), result);
            } else {
                report("created, ", "registered", username.text(), result);
            }
        } catch (IllegalArgumentException e) {
            throw new CommandException(FAILED, "the password " + e.getMessage());
        }
    }

    private void report(String done, String event, String name, Result result) throws CommandException {
        boolean isDone = result.userExisted() || event.equals("registered");
        if (isDone && !event.isEmpty()) {
            Audit.log(event, null, name, "");
        }
        Audit.sessionsRevoked(null, name, result.endedSessionIds());
        if (!isDone) {
            throw noSuchUser(name);
        }
        print(name + ": " + done + "sessions ended: " + result.endedSessionIds().size());
    }

    private static CommandException noSuchUser(String name) {
        return new CommandException(FAILED, "no such user: " + LineFormat.safe(name));
    }

    private void sessions(String name) throws CommandException {
        if (!users.exists(name)) {
            throw noSuchUser(name);
        }
        for (Session session : tokens.sessions(name)) {
            String created = time(session.createdDate());
            print(session.id(), created, time(session.expiresDate()), session.address(), session.userAgent());
        }
    }

    private void list() {
        users.forEachUser(user -> print(user.username(), time(user.createdDate()), user.state()));
    }

    private static String time(@Nullable Instant date) {
        return date == null ? "-" : LineFormat.TIME.format(date);
    }

    // Prints a line of columns. Clients choose some of the values, which must not control the terminal or look like
    // further columns.
    private void print(String... columns) {
        try {
            out.write(Stream.of(columns).map(LineFormat::safe).collect(Collectors.joining("\t", "", "\n")));
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        }
    }
}
