package dev.latchkey;

import dev.latchkey.ops.Logs;
import java.io.IOException;
import java.net.BindException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The process. Exit codes: 0 stopped by a signal, all that was in flight finished; 1 failed; 2 bad configuration; 143
 * (SIGTERM) or 130 (SIGINT) where something in flight had to be cut off.
 */
public final class Main {
    private static final int FAILED = 1;
    private static final int BAD_CONFIGURATION = 2;

    private Main() {}

    /** {@code --health} asks the service that runs on this host whether it is ready; no argument runs the service. */
    public static void main(String[] args) {
        if (args.length == 1 && args[0].equals("--health")) {
            System.exit(health(System.getenv()));
        }
        start(System.getenv());
    }

    /** Starts the service, and stops it when the process is told to end. Ends the process where it cannot start. */
    static App start(Map<String, String> environment) {
        Logs logs = Logs.install();
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> uncaught(logs, thread, e));
        try {
            Config config = Config.from(environment);
            logs.configure(config.logFormat(), config.logLevel());
            var app = App.start(config);
            // not a constant: a logger made before Logs would bring the JDK's own set-up
            var log = System.getLogger("latchkey.main");
            Runtime.getRuntime()
                    .addShutdownHook(Thread.ofPlatform().name("stop").unstarted(() -> {
                        log.log(System.Logger.Level.INFO, "stopping");
                        boolean finished = app.stop();
                        log.log(System.Logger.Level.INFO, "stopped", "finished", finished);
                        logs.flush();
                        if (finished) {
                            Runtime.getRuntime().halt(0); // else the JVM ends with the signal's number
                        }
                    }));
            log.log(System.Logger.Level.INFO, "listening", "port", app.port());
            logs.flush();
            return app;
        } catch (Config.Invalid e) {
            return fail(BAD_CONFIGURATION, e.getMessage());
        } catch (BindException e) {
            return fail(
                    FAILED,
                    "cannot listen on port " + Config.port(environment) + ": " + e.getMessage()
                            + ". Set PORT or HOST.");
        } catch (IOException e) {
            return fail(FAILED, String.valueOf(e));
        }
    }

    // Without a platform thread that it needs, the process would serve no longer, and end with 0 or not at all. A
    // virtual thread has one request only.
    private static void uncaught(Logs logs, Thread thread, Throwable e) {
        try {
            System.getLogger("latchkey.main").log(System.Logger.Level.ERROR, "uncaught in " + thread.getName(), e);
            logs.flush();
        } finally {
            if (!thread.isVirtual()) {
                Runtime.getRuntime().halt(FAILED);
            }
        }
    }

    private static int health(Map<String, String> environment) {
        try {
            return isReady(Config.checkedPort(environment)) ? 0 : FAILED;
        } catch (Config.Invalid e) {
            print(e.getMessage());
            return BAD_CONFIGURATION;
        }
    }

    private static boolean isReady(int port) {
        try {
            var url = URI.create("http://127.0.0.1:" + port + "/health/ready").toURL();
            return ((HttpURLConnection) url.openConnection()).getResponseCode() == HttpURLConnection.HTTP_OK;
        } catch (IOException _) {
            return false;
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
