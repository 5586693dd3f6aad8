package dev.latchkey;

import static dev.latchkey.cli.CommandException.BAD_ARGUMENTS;
import static dev.latchkey.cli.CommandException.FAILED;
import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;

import dev.latchkey.accounts.PasswordPolicy;
import dev.latchkey.cli.CommandException;
import dev.latchkey.cli.HealthCheck;
import dev.latchkey.cli.UserCommands;
import dev.latchkey.config.Config;
import dev.latchkey.logging.LineFormat;
import dev.latchkey.logging.Logs;
import java.io.FileDescriptor;
import java.io.IOException;
import java.net.BindException;
import java.security.Security;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The process. Its exit codes are 0 after a signal if all requests were finished, 143 (SIGTERM) or 130 (SIGINT) if
 * requests had to be cut off, 1 after a failure, and 2 if the configuration or an argument is not valid.
 */
public final class Main {
    private static final String USAGE = """
            usage: latchkey            runs the service, configured by environment variables
                   latchkey --health   asks the service on this machine whether it is ready
                   latchkey --version  prints the version
                   latchkey --help     prints this text
            """ + UserCommands.USAGE;

    private Main() {}

    /** Runs the service, or what the arguments say. */
    public static void main(String[] args) {
        if (args.length == 0) {
            start(System.getenv());
        } else {
            System.exit(command(List.of(args), System.getenv()));
        }
    }

    private static int command(List<String> args, Map<String, String> environment) {
        try {
            if (args.equals(List.of("--version"))) {
                System.out.println("latchkey " + App.version());
            } else if (args.equals(List.of("--help"))) {
                System.out.println(USAGE);
            } else if (args.equals(List.of("--health"))) {
                HealthCheck.run(environment);
            } else if (args.getFirst().equals("user")) {
                user(args.subList(1, args.size()), environment);
            } else {
                return report(BAD_ARGUMENTS, "unknown argument\n" + USAGE);
            }
            return 0;
        } catch (Config.Invalid e) {
            return report(BAD_ARGUMENTS, e.getMessage());
        } catch (CommandException e) {
            return report(e.exitCode(), e.getMessage());
        }
    }

    private static void user(List<String> arguments, Map<String, String> environment)
            throws CommandException, Config.Invalid {
        UserCommands.check(arguments);
        Map<String, String> settings = new HashMap<>(environment);
        settings.keySet().removeAll(Set.of("HOST", "PORT", "METRICS_PORT")); // a command does not listen
        Logs logs = Logs.install(FileDescriptor.err);
        Logger redisLog = Logger.getLogger("latchkey.redis"); // forgets its level if it is not referenced
        redisLog.setLevel(Level.SEVERE); // the command itself reports that Redis is unavailable
        try {
            Config config = Config.from(settings);
            logs.configure(config.logFormat(), config.logLevel());
            try (var core = Core.open(config)) {
                var policy = new PasswordPolicy(config.passwordMinLength());
                new UserCommands(core.redis(), core.accounts(), policy).run(arguments);
            }
        } finally {
            logs.flush();
        }
    }

    /**
     * Starts the service, and stops it when the process receives a signal. Ends the process if the service cannot
     * start.
     */
    public static App start(Map<String, String> environment) {
        // The JDK would keep an address for 30 s, and a failed lookup for 10 s. Redis may get a new address earlier.
        Security.setProperty("networkaddress.cache.ttl", "0");
        Security.setProperty("networkaddress.cache.negative.ttl", "0");
        Logs logs = Logs.install(FileDescriptor.out);
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> uncaught(logs, thread, e));
        try {
            Config config = Config.from(environment);
            logs.configure(config.logFormat(), config.logLevel());
            var app = App.start(config, logs, Thread::startVirtualThread);
            // Not a constant, because a logger that is created before Logs would use the JDK's own configuration.
            var log = System.getLogger("latchkey.main");
            Runtime.getRuntime()
                    .addShutdownHook(Thread.ofPlatform().name("stop").unstarted(() -> stop(app, logs, log)));
            if (app.metricsPort() != null) {
                log.log(INFO, "serving metrics", "port", app.metricsPort());
            }
            log.log(INFO, "listening", "port", app.port(), "version", App.version());
            logs.flush();
            Thread.ofVirtual().name("clock").start(() -> watchClock(log));
            return app;
        } catch (Config.Invalid e) {
            return fail(BAD_ARGUMENTS, e.getMessage());
        } catch (BindException e) {
            return fail(FAILED, e.getMessage());
        } catch (IOException e) {
            return fail(FAILED, String.valueOf(e));
        }
    }

    // The JDK's server measures its timeouts with the wall clock.
    private static void watchClock(System.Logger log) {
        try {
            long atStart = wallClockLead();
            while (wallClockLead() > atStart - 1000) {
                Thread.sleep(1000);
            }
            log.log(WARNING, "the wall clock was set back: until it has caught up, no slow connection is closed");
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    // In milliseconds before the monotonic clock, whose zero is arbitrary.
    private static long wallClockLead() {
        return System.currentTimeMillis() - TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
    }

    private static void stop(App app, Logs logs, System.Logger log) {
        log.log(INFO, "stopping");
        boolean finished = app.stop();
        log.log(INFO, "stopped", "finished", finished);
        logs.flush();
        if (finished) {
            Runtime.getRuntime().halt(0); // otherwise the exit code is the signal's number
        }
    }

    // If one of its platform threads ended, the process would stop serving, and exit with 0 or not at all. A virtual
    // thread has only one request.
    private static void uncaught(Logs logs, Thread thread, Throwable e) {
        try {
            System.getLogger("latchkey.main").log(ERROR, "uncaught error in " + thread.getName(), e);
            if (!thread.isVirtual()) {
                logs.flush();
            }
        } finally {
            if (!thread.isVirtual()) {
                Runtime.getRuntime().halt(FAILED);
            }
        }
    }

    private static App fail(int code, @Nullable String message) {
        System.exit(report(code, message));
        throw new IllegalStateException("exited");
    }

    // Prints each line of an error, and returns the exit code.
    private static int report(int exitCode, @Nullable String error) {
        String ascii = String.valueOf(error).replace('–', '-'); // the locale of the terminal may not have it
        // Parts of it may come from Redis, or from whatever responds to a health check.
        ascii.lines().forEach(line -> System.err.println("latchkey: " + LineFormat.safe(line)));
        return exitCode;
    }
}
