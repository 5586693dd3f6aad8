package dev.latchkey.api;

import dev.latchkey.accounts.Audit;
import dev.latchkey.accounts.LoginThrottle;
import dev.latchkey.http.ErrorCode;
import dev.latchkey.http.Problem;
import dev.latchkey.http.Request;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.List;
import java.util.function.Function;

/**
 * Authenticates the client of introspection and revocation with HTTP Basic (RFC 7617). The id and the secret are
 * form-encoded before Base64 (RFC 6749 §2.3.1).
 *
 * @param throttle limits wrong credentials per address. Correct credentials need no Redis command, so neither an
 *     attacker behind the same address nor an outage can lock the client out.
 */
public record ClientAuthentication(ClientCredentials credentials, LoginThrottle throttle)
        implements Function<Request, String> {
    private static final String SCHEME = "Basic ";

    @Override
    public String apply(Request request) {
        List<String> headers = request.authorization();
        if (headers.isEmpty()) {
            throw unauthorized(
                    ErrorCode.CREDENTIALS_MISSING, "Client credentials are required: send Authorization: Basic.");
        }
        // With two headers, a proxy in front may have checked the other one.
        if (headers.size() == 1 && isCorrect(headers.getFirst())) {
            return credentials.id();
        }
        throttle.count(request.client()); // the limit also bounds the audit log
        // The id that was sent is left out, because the client may have confused it with the secret.
        Audit.log("client authentication failed", request.client(), "", "");
        throw unauthorized(ErrorCode.WRONG_CLIENT_CREDENTIALS, "The client id or the client secret is wrong.");
    }

    private boolean isCorrect(String header) {
        if (!header.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            return false;
        }
        try {
            byte[] decoded =
                    Base64.getDecoder().decode(header.substring(SCHEME.length()).strip());
            String[] sent = new String(decoded, StandardCharsets.UTF_8).split(":", 2);
            // Both are always compared, so that the time does not reveal whether the id is right.
            boolean isRightId = isEqual(sent[0], credentials.id());
            boolean isRightSecret = sent.length == 2 && isEqual(sent[1], credentials.secret());
            return isRightId && isRightSecret;
        } catch (IllegalArgumentException _) { // malformed Base64 or percent-encoding
            return false;
        }
    }

    // The time of MessageDigest.isEqual depends only on the length of its first argument, which the client has sent.
    private static boolean isEqual(String encoded, String expected) {
        byte[] sent = URLDecoder.decode(encoded, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8);
        return MessageDigest.isEqual(sent, expected.getBytes(StandardCharsets.UTF_8));
    }

    private static Problem unauthorized(ErrorCode code, String detail) {
        return new Problem(code, detail).withHeader("WWW-Authenticate", "Basic realm=\"latchkey\"");
    }
}
