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
import dev.latchkey.tokens.IssuedToken;
import dev.latchkey.tokens.Session;
import dev.latchkey.tokens.SessionOptions;
import dev.latchkey.tokens.TokenStore;
import dev.latchkey.validation.InvalidValueException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
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
                   latchkey user end-sessions NAME  ends the sessions of a user; --all in place of NAME: of all users
                   latchkey user list               lists all users
                   latchkey user issue-token NAME --name TEXT --expires-in SECONDS
                                                    prints a new token for a machine, once""";

    private static final String WITHOUT_NAME = "list";
    private static final String ALL = "--all";
    private static final String WITH_OPTIONS = "issue-token";
    private static final Map<String, Action> COMMANDS = Map.ofEntries(
            entry("set-password", (it, name, _) -> it.setPassword(name)),
            entry(
                    "disable",
                    (it, name, _) -> it.report("disabled, ", "account disabled", name, it.users.disable(name))),
            entry("delete", (it, name, _) -> it.report("deleted, ", "account deleted", name, it.users.delete(name))),
            entry("sessions", (it, name, _) -> it.sessions(name)),
            entry("end-sessions", (it, name, _) -> it.endSessions(name)),
            entry(WITHOUT_NAME, (it, _, _) -> it.list()),
            entry(WITH_OPTIONS, (it, name, more) -> it.issueToken(name, options(more))));

    private final Redis redis;
    private final TokenStore tokens;
    private final AccountAdministration users;
    private final PasswordPolicy policy;
    private final Writer out = new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8);

    private interface Action {
        void run(UserCommands it, String name, List<String> more) throws CommandException, IOException;
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
        int expected = switch (command) {
            case WITHOUT_NAME -> 1;
            case WITH_OPTIONS -> 6;
            default -> 2;
        };
        if (!COMMANDS.containsKey(command)
                || arguments.size() != expected
                || arguments.contains("")
                || (arguments.contains(ALL) && !arguments.equals(List.of("end-sessions", ALL)))) {
            throw new CommandException(BAD_ARGUMENTS, "wrong arguments of user\n" + USAGE);
        }
        if (String.join("", arguments).contains("\uFFFD")) {
            throw new CommandException(BAD_ARGUMENTS, "the locale cannot decode the arguments: set LANG=C.UTF-8");
        }
        if (command.equals(WITH_OPTIONS)) {
            var _ = options(arguments.subList(2, expected));
        }
        if (command.equals("set-password")) {
            try {
                var _ = new Username(arguments.getLast());
            } catch (IllegalArgumentException e) {
                throw new CommandException(BAD_ARGUMENTS, "NAME " + e.getMessage());
            }
        }
    }

    private static SessionOptions options(List<String> arguments) throws CommandException {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < arguments.size(); i += 2) {
            options.put(arguments.get(i), arguments.get(i + 1));
        }
        if (!options.keySet().equals(Set.of("--name", "--expires-in"))) {
            throw new CommandException(BAD_ARGUMENTS, "wrong arguments of user\n" + USAGE);
        }
        String seconds = options.getOrDefault("--expires-in", "");
        if (!seconds.matches("[1-9][0-9]{0,8}")) {
            throw new CommandException(BAD_ARGUMENTS, "--expires-in must be 1–999999999 seconds");
        }
        try {
            String name = SessionOptions.checkName(options.getOrDefault("--name", ""));
            return new SessionOptions(Optional.of(name), Optional.of(Integer.valueOf(seconds)));
        } catch (InvalidValueException e) {
            throw new CommandException(BAD_ARGUMENTS, "--name " + e.getMessage());
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
            boolean isUser = arguments.size() > 1 && !arguments.get(1).equals(ALL);
            String name = isUser ? users.resolve(arguments.get(1)) : "";
            List<String> more = arguments.subList(Math.min(2, arguments.size()), arguments.size());
            Objects.requireNonNull(COMMANDS.get(arguments.getFirst())).run(this, name, more);
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

    // An empty name means all users.
    private void endSessions(String name) throws CommandException {
        if (name.isEmpty()) {
            long ended = tokens.revokeAll();
            Audit.log("all sessions revoked", null, "", "", "sessions", ended);
            print("sessions ended: " + ended);
        } else {
            report("", "", name, users.endSessions(name));
        }
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
            print(
                    session.id(),
                    created,
                    time(session.expiresDate()),
                    session.address(),
                    session.userAgent(),
                    session.name().orElse(""));
        }
    }

    private void issueToken(String name, SessionOptions options) throws CommandException, IOException {
        IssuedToken issued = users.issueToken(name, options);
        if (issued == null) {
            throw users.exists(name)
                    ? new CommandException(FAILED, LineFormat.safe(name) + " is disabled")
                    : noSuchUser(name);
        }
        try {
            print(issued.token());
            out.flush();
        } catch (IOException | UncheckedIOException e) {
            tokens.revoke(name, issued.token()); // no machine has it
            throw e;
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
