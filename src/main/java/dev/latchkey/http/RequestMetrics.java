package dev.latchkey.http;

import dev.latchkey.http.Router.Match;
import dev.latchkey.metrics.Histogram;
import dev.latchkey.metrics.Registry;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Measures requests: one histogram per route, method and status code, with the names of OpenTelemetry.
 *
 * <p>The labels do not come from the client, which could fill the memory with series. Methods that a route does not have
 * share one value, and so do those that HTTP does not define.
 */
final class RequestMetrics {
    private static final String NAME = "http_server_request_duration_seconds";
    private static final String HELP = "Time from the end of a request's headers until its response is sent.";
    // RFC 9110 §9 and RFC 5789
    private static final Set<String> METHODS =
            Set.of("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT");

    private record Labels(String method, String path, int status) {
        // By hand, because the generated methods took 1.6 % of a token check.
        @Override
        public boolean equals(Object other) {
            return other instanceof Labels labels
                    && status == labels.status
                    && path.equals(labels.path)
                    && method.equals(labels.method);
        }

        @Override
        public int hashCode() {
            return (method.hashCode() * 31 + path.hashCode()) * 31 + status;
        }
    }

    private final Registry registry;
    private final Map<Labels, Histogram> histograms = new ConcurrentHashMap<>();

    RequestMetrics(Registry registry) {
        this.registry = registry;
    }

    /**
     * Counts a request.
     *
     * @param match null if no route has the path, or if the request was refused before its route was found
     * @param status code of the response, or -1 if there is none, because the connection was lost
     */
    void record(String method, @Nullable Match match, int status, long nanos) {
        boolean isKnown = METHODS.contains(method) && (match == null || match.route(method) != null);
        String known = isKnown ? method : "_OTHER"; // the name in OpenTelemetry
        // Prometheus takes an empty label for an absent one.
        var labels = new Labels(known, match == null ? "" : match.path(), status);
        Histogram histogram = histograms.get(labels);
        (histogram == null ? histograms.computeIfAbsent(labels, this::create) : histogram).record(nanos);
    }

    private Histogram create(Labels labels) {
        var histogram = new Histogram();
        String[] values = {
            "http_request_method", labels.method(),
            "http_route", labels.path(),
            "http_response_status_code", labels.status() < 0 ? "" : Integer.toString(labels.status())
        };
        registry.histogram(NAME, HELP, histogram, values);
        return histogram;
    }
}
