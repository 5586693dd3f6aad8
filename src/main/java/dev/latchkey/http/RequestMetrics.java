package dev.latchkey.http;

import dev.latchkey.metrics.Histogram;
import dev.latchkey.metrics.Registry;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Measures requests: one histogram per route, method and status code, with the names of OpenTelemetry. A histogram is
 * created when it is first needed, and found again without allocating anything.
 *
 * <p>The labels do not come from the client. A path that no route has, and a method that HTTP does not define, share
 * one value each. Otherwise a client could fill the memory with series.
 */
final class RequestMetrics {
    /** The path of a route that is not known, or does not exist. Prometheus takes an empty label for an absent one. */
    static final String NO_ROUTE = "";

    private static final String NAME = "http_server_request_duration_seconds";
    private static final String HELP = "Time from the end of a request's headers until its response is sent.";
    // RFC 9110 §9 and RFC 5789; OpenTelemetry's name for all others
    private static final List<String> METHODS =
            List.of("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "_OTHER");
    private static final int STATUS_CODES = 600;

    private final Registry registry;
    // By method and status code; null until the first such request. Threads read the arrays without a lock. If they do
    // not see an element yet, they look again with the lock.
    private final Map<String, @Nullable Histogram[] @Nullable []> byPath = new HashMap<>();
    private final @Nullable Histogram[] @Nullable [] ofNoRoute = new Histogram[METHODS.size()][];

    /** @param paths of all routes */
    RequestMetrics(Registry registry, Collection<String> paths) {
        this.registry = registry;
        paths.forEach(path -> byPath.put(path, new Histogram[METHODS.size()][]));
    }

    /**
     * Counts a request.
     *
     * @param path of the route, or {@link #NO_ROUTE}
     * @param status code of the response, or -1 if there is none, because the connection was lost
     */
    void record(String path, String method, int status, long nanos) {
        int methodIndex = METHODS.indexOf(method);
        int known = methodIndex < 0 ? METHODS.size() - 1 : methodIndex;
        @Nullable Histogram[] byStatus = byPath.getOrDefault(path, ofNoRoute)[known];
        Histogram histogram = byStatus == null ? null : byStatus[Math.max(status, 0)];
        (histogram == null ? create(path, known, Math.max(status, 0)) : histogram).record(nanos);
    }

    private synchronized Histogram create(String path, int method, int status) {
        @Nullable Histogram[] @Nullable [] byMethod = byPath.getOrDefault(path, ofNoRoute);
        if (byMethod[method] == null) {
            byMethod[method] = new Histogram[STATUS_CODES];
        }
        Histogram histogram = byMethod[method][status];
        if (histogram == null) {
            histogram = new Histogram();
            byMethod[method][status] = histogram;
            String code = status == 0 ? "" : Integer.toString(status);
            String[] labels = {
                "http_request_method", METHODS.get(method), "http_route", path, "http_response_status_code", code
            };
            registry.histogram(NAME, HELP, histogram, labels);
        }
        return histogram;
    }
}
