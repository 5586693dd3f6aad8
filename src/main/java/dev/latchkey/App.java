package dev.latchkey;

import com.sun.net.httpserver.HttpServer;
import dev.latchkey.accounts.LoginThrottle;
import dev.latchkey.accounts.PasswordPolicy;
import dev.latchkey.accounts.RateLimitedException;
import dev.latchkey.accounts.WrongPasswordException;
import dev.latchkey.api.AuthFilter;
import dev.latchkey.api.AuthHandlers;
import dev.latchkey.api.ClientAuthentication;
import dev.latchkey.api.ClientCredentials;
import dev.latchkey.api.HealthHandlers;
import dev.latchkey.api.IntrospectionHandlers;
import dev.latchkey.api.Routes;
import dev.latchkey.api.SessionHandlers;
import dev.latchkey.api.TodoHandlers;
import dev.latchkey.config.Config;
import dev.latchkey.http.ErrorCode;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Server;
import dev.latchkey.logging.Logs;
import dev.latchkey.metrics.JvmMetrics;
import dev.latchkey.metrics.Registry;
import dev.latchkey.overload.Bulkhead;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.overload.OverloadedException;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.redis.WrongTypeException;
import dev.latchkey.todos.TodoIds;
import dev.latchkey.todos.TodoStore;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The running service. All parts are created and connected here.
 *
 * @param metricsServer null if the configuration has no metrics port
 */
public record App(
        Config config,
        Core core,
        HealthHandlers health,
        Server server,
        @Nullable HttpServer metricsServer) {
    // Each list takes up to a megabyte of heap, and hundreds of replies over the connection that token checks share.
    private static final int MAX_CONCURRENT_LISTS = 8;
    private static final int MAX_METRICS_STOP_SECONDS = 1;

    /**
     * Starts the service, whether Redis replies or not. Until Redis replies, requests that need it get a 503.
     *
     * @param logs receives the requests, unless the configuration turns it off
     * @param cleanUps runs what need not delay a response
     * @throws IOException if the address is not available. The caller then ends the process, so nothing is closed here.
     */
    public static App start(Config config, Logs logs, Executor cleanUps) throws IOException {
        Core core = Core.open(config, cleanUps);
        var lists = new Bulkhead(MAX_CONCURRENT_LISTS);
        var policy = new PasswordPolicy(config.passwordMinLength());
        var registry = new Registry();
        core.redis().register(registry);
        core.hasher().register(registry);
        registry.counter(
                "latchkey_access_log_dropped_lines_total",
                "Lines that were dropped because nothing read the log fast enough; most are of the access log.",
                logs::dropped);
        var health = new HealthHandlers(core.tokens().keys());
        var authHandlers = new AuthHandlers(config.registrationOpen(), core.accounts(), core.tokens(), policy);
        var sessionHandlers = new SessionHandlers(core.tokens(), lists);
        var todoIds = new TodoIds(core.clock());
        var todoHandlers = config.todoApi() ? new TodoHandlers(core.todos(), lists, todoIds, core.clock()) : null;
        var introspection = new IntrospectionHandlers(core.tokens());
        ClientCredentials credentials = config.introspectionClient();
        var clientThrottle = new LoginThrottle(core.redis(), "client", config.loginThrottle());
        var client = credentials == null ? null : new ClientAuthentication(credentials, clientThrottle);
        var routes = Routes.of(
                authHandlers, sessionHandlers, introspection, client, todoHandlers, health, config.demoPage());
        Supplier<AuthFilter> authentications =
                () -> new AuthFilter(core.tokens().keys());
        Server server = Server.start(config.http(), routes, authentications, App::problem, logs, registry);
        HttpServer metricsServer = startMetrics(config.http().metricsAddress(), registry, health);
        return new App(config, core, health, server, metricsServer);
    }

    // Returns null if the configuration has no metrics port. The JDK's management beans are not loaded then.
    private static @Nullable HttpServer startMetrics(
            @Nullable InetSocketAddress address, Registry registry, HealthHandlers health) throws IOException {
        if (address == null) {
            return null;
        }
        JvmMetrics.register(registry);
        registry.gauge("latchkey_build_info", "Always 1.", () -> 1, "version", version());
        return Server.startMetrics(address, Routes.ofMetricsPort(registry, health));
    }

    /** Returns the version in the manifest of the jar. */
    static String version() {
        String version = App.class.getPackage().getImplementationVersion();
        return version == null ? "development" : version;
    }

    // Returns the response to an exception, or null if the exception is unexpected.
    private static @Nullable Problem problem(Throwable e) {
        return switch (e) {
            case Problem problem -> problem;
            case WrongPasswordException _ ->
                AuthFilter.unauthorized(ErrorCode.WRONG_PASSWORD, "The password is wrong.");
            case RateLimitedException limited -> Problem.tooManyAttempts(limited.retrySeconds());
            case TodoStore.LimitException limit ->
                new Problem(ErrorCode.TODO_LIMIT, String.valueOf(limit.getMessage()));
            case OverloadedException _ -> Problem.unavailable(ErrorCode.OVERLOADED, "The service is overloaded.", 1);
            case ContentionException contention ->
                Problem.unavailable(
                        ErrorCode.CONTENTION,
                        "Other requests are changing the same record.",
                        contention.retrySeconds());
            case WrongTypeException _ -> new Problem(ErrorCode.INTERNAL_ERROR, "A stored record is damaged.");
            case RedisUnavailableException _ ->
                Problem.unavailable(ErrorCode.TOKEN_STORE_UNAVAILABLE, "The token store is unavailable.", 1);
            default -> null;
        };
    }

    /** Returns the port that the service listens on, which matters if the configuration asks for a free one. */
    public int port() {
        return server.port();
    }

    /** Returns the metrics port, or null if there is none. */
    public @Nullable Integer metricsPort() {
        return metricsServer == null ? null : metricsServer.getAddress().getPort();
    }

    /**
     * Stops gracefully: reports that this instance is not ready, serves for the lame-duck time, finishes requests in
     * flight, and stops.
     *
     * @return whether all requests were finished within the configured grace time
     */
    public boolean stop() {
        health.drain();
        try {
            boolean finished = server.stop(config.shutdownLameDuck(), config.shutdownGrace());
            if (metricsServer != null) { // until now, so that Prometheus sees the requests that have been finished
                metricsServer.stop(MAX_METRICS_STOP_SECONDS);
            }
            return finished;
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            core.close();
        }
    }
}
