package dev.latchkey;

import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.INFO;

import dev.latchkey.logging.Logs;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.security.Security;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The process. Its exit codes are 0 after a signal if all requests were finished, 143 (SIGTERM) or 130 (SIGINT) if
 * requests had to be cut off, 1 after a failure, and 2 if the configuration is not valid.
 */
public final class Main {
    static final int FAILED = 1;
    static final int BAD_CONFIGURATION = 2; // or bad arguments
    private static final int HEALTH_TIMEOUT_MILLIS = 4000; // less than the 5 s that the image gives its health check
    private static final int MAX_REASON_BYTES = 1000;
    private static final String USAGE = """
            usage: latchkey            runs the service, configured by environment variables
                   latchkey --health   asks the service on this machine whether it is ready
                   latchkey --version  prints the version
                   latchkey --help     prints this text
            """ + UserCommands.USAGE;

    private Main() {}

    /** Runs the service, or what the arguments say. */
    public static void main(String[] args) {
        switch (String.join(" ", args)) {
            case "" -> start(System.getenv());
            case "--health" -> System.exit(health(System.getenv()));
            case "--version" -> System.out.println("latchkey " + version());
            case "--help" -> System.out.println(USAGE);
            default -> {
                if (args[0].equals("user")) {
                    System.exit(UserCommands.run(List.of(args).subList(1, args.length), System.getenv()));
                }
                fail(BAD_CONFIGURATION, "unknown argument\n" + USAGE);
            }
        }
    }

    static String version() {
        String version = Main.class.getPackage().getImplementationVersion(); // from the jar's manifest
        return version == null ? "development" : version;
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
            return start(config, logs);
        } catch (Config.Invalid e) {
            return fail(BAD_CONFIGURATION, e.getMessage());
        }
    }

    private static App start(Config config, Logs logs) {
        try {
            var app = App.start(config, logs.accessLog(), Thread::startVirtualThread);
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
            if (app.metricsPort() != null) {
                log.log(INFO, "serving metrics", "port", app.metricsPort());
            }
            log.log(INFO, "listening", "port", app.port(), "version", version());
            logs.flush();
            return app;
        } catch (BindException e) {
            return fail(FAILED, e.getMessage());
        } catch (IOException e) {
            return fail(FAILED, String.valueOf(e));
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

    private static int health(Map<String, String> environment) {
        String url = "";
        try {
            InetSocketAddress address = Config.address(environment);
            boolean all = address.getAddress().isAnyLocalAddress();
            InetAddress host = all ? InetAddress.getLoopbackAddress() : address.getAddress();
            var uri = new URI("http", null, host.getHostAddress(), address.getPort(), "/health/ready", null, null);
            url = uri.toString();
            var connection = (HttpURLConnection) uri.toURL().openConnection(Proxy.NO_PROXY);
            connection.setConnectTimeout(HEALTH_TIMEOUT_MILLIS);
            connection.setReadTimeout(HEALTH_TIMEOUT_MILLIS);
            int status = connection.getResponseCode();
            if (status == HttpURLConnection.HTTP_OK) {
                return 0;
            }
            InputStream body = connection.getErrorStream(); // null if there is none
            String reason = body == null ? "" : new String(body.readNBytes(MAX_REASON_BYTES), StandardCharsets.UTF_8);
            return report(FAILED, url + " is " + status + ": " + reason);
        } catch (Config.Invalid e) {
            return report(BAD_CONFIGURATION, e.getMessage());
        } catch (IOException | URISyntaxException e) {
            return report(FAILED, url + " does not respond: " + e.getMessage());
        }
    }

    /** Prints each line of an error, and returns the exit code. */
    static int report(int exitCode, @Nullable String error) {
        String ascii = String.valueOf(error).replace('–', '-'); // the locale of the terminal may not have it
        ascii.lines().forEach(line -> System.err.println("latchkey: " + line));
        return exitCode;
    }

    private static App fail(int code, @Nullable String message) {
        System.exit(report(code, message));
        throw new IllegalStateException("exited");
    }
}
