package dev.latchkey;

import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;

import dev.latchkey.logging.Logs;
import java.io.IOException;
import java.net.BindException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The process. Its exit codes are 0 after a signal if all requests were finished, 143 (SIGTERM) or 130 (SIGINT) if
 * requests had to be cut off, 1 after a failure, and 2 if the configuration is not valid.
 */
public final class Main {
    private static final int FAILED = 1;
    private static final int BAD_CONFIGURATION = 2;

    private Main() {}

    /**
     * Runs the service. {@code --health} instead asks the service on this host whether it is ready, and {@code
     * --version} prints the version.
     */
    public static void main(String[] args) {
        switch (String.join(" ", args)) {
            case "--health" -> System.exit(health(System.getenv()));
            case "--version" -> System.out.println("latchkey " + version());
            default -> start(System.getenv());
        }
    }

    private static String version() {
        String version = Main.class.getPackage().getImplementationVersion(); // from the jar's manifest
        return version == null ? "development" : version;
    }

    /**
     * Starts the service, and stops it when the process receives a signal. Ends the process if the service cannot
     * start.
     */
    public static App start(Map<String, String> environment) {
        Logs logs = Logs.install();
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> uncaught(logs, thread, e));
        try {
            Config config = Config.from(environment);
            logs.configure(config.logFormat(), config.logLevel());
            var app = App.start(config);
            // Not a constant, because a logger that is created before Logs would use the JDK's own configuration.
            var log = System.getLogger("latchkey.main");
            Runtime.getRuntime()
                    .addShutdownHook(Thread.ofPlatform().name("stop").unstarted(() -> {
                        log.log(INFO, "stopping");
                        boolean finished = app.stop();
                        log.log(INFO, "stopped", "finished", finished);
                        logs.flush();
                        if (finished) {
                            Runtime.getRuntime().halt(0); // otherwise the exit code is the signal's number
                        }
                    }));
            log.log(INFO, "listening", "port", app.port(), "version", version());
            logs.flush();
            return app;
        } catch (Config.Invalid e) {
            return fail(BAD_CONFIGURATION, e.getMessage());
        } catch (BindException e) {
            String cause = "cannot listen on port " + Config.port(environment) + ": " + e.getMessage();
            return fail(FAILED, cause + ". Set PORT or HOST.");
        } catch (IOException e) {
            return fail(FAILED, String.valueOf(e));
        }
    }

    // If one of its platform threads ended, the process would stop serving, and exit with 0 or not at all. A virtual
    // thread has only one request.
    private static void uncaught(Logs logs, Thread thread, Throwable e) {
        try {
            System.getLogger("latchkey.main").log(ERROR, "uncaught error in " + thread.getName(), e);
            logs.flush();
        } finally {
            if (!thread.isVirtual()) {
                Runtime.getRuntime().halt(FAILED);
            }
        }
    }

    private static int health(Map<String, String> environment) {
        try {
            int port = Config.checkedPort(environment);
            var url = URI.create("http://127.0.0.1:" + port + "/health/ready").toURL();
            int status = ((HttpURLConnection) url.openConnection()).getResponseCode();
            return status == HttpURLConnection.HTTP_OK ? 0 : FAILED;
        } catch (Config.Invalid e) {
            print(e.getMessage());
            return BAD_CONFIGURATION;
        } catch (IOException _) {
            return FAILED;
        }
    }

    private static void print(@Nullable String message) {
        String.valueOf(message).lines().forEach(line -> System.err.println("latchkey: " + line));
    }

    private static App fail(int code, @Nullable String message) {
        print(message);
        System.exit(code);
        throw new IllegalStateException("exited");
    }
}
