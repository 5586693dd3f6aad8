package dev.latchkey.cli;

import static dev.latchkey.cli.CommandException.FAILED;

import dev.latchkey.config.Config;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The command {@code --health}. */
public final class HealthCheck {
    private static final int TIMEOUT_MILLIS = 4000; // less than the 5 s that the image gives its health check
    private static final int MAX_REASON_BYTES = 1000;

    private HealthCheck() {}

    /**
     * Asks the service on this machine whether it is ready.
     *
     * @throws CommandException if it is not
     */
    public static void run(Map<String, String> environment) throws CommandException, Config.Invalid {
        InetSocketAddress address = Config.address(environment);
        boolean all = address.getAddress().isAnyLocalAddress();
        InetAddress host = all ? InetAddress.getLoopbackAddress() : address.getAddress();
        String url = "";
        try {
            var uri = new URI("http", null, host.getHostAddress(), address.getPort(), "/health/ready", null, null);
            url = uri.toString();
            var connection = (HttpURLConnection) uri.toURL().openConnection(Proxy.NO_PROXY);
            connection.setConnectTimeout(TIMEOUT_MILLIS);
            connection.setReadTimeout(TIMEOUT_MILLIS);
            int status = connection.getResponseCode();
            if (status != HttpURLConnection.HTTP_OK) {
                InputStream body = connection.getErrorStream(); // null if there is none
                byte[] reason = body == null ? new byte[0] : body.readNBytes(MAX_REASON_BYTES);
                throw new CommandException(
                        FAILED, url + " is " + status + ": " + new String(reason, StandardCharsets.UTF_8));
            }
        } catch (IOException | URISyntaxException e) {
            throw new CommandException(FAILED, url + " does not respond: " + e.getMessage());
        }
    }
}
