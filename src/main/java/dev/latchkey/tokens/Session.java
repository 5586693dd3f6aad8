package dev.latchkey.tokens;

import dev.latchkey.encoding.Base64Url;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.Optional;

/**
 * A session, from its login until its last token ends. This is the JSON in {@code sessions:{username}}.
 *
 * @param id public, random and not derived from a token; the same for all tokens of the session
 * @param createdDate when the user logged in
 * @param expiresDate when the current token expires
 * @param userAgent of the client that obtained the current token
 * @param address of that client
 * @param name as in {@link SessionOptions}; empty if the login named none
 * @param expiresIn as in {@link SessionOptions}
 */
public record Session(
        String id,
        Instant createdDate,
        Instant expiresDate,
        String userAgent,
        String address,
        Optional<String> name,
        Optional<Integer> expiresIn) {
    private static final int ID_BYTES = 16;

    static final Comparator<Session> NEWEST_FIRST = Comparator.comparing(Session::createdDate)
            .thenComparing(Session::id)
            .reversed();

    /** Represents an entry that cannot be parsed. No client knows its id, and it is evicted first. */
    static final Session UNREADABLE =
            new Session("", Instant.EPOCH, Instant.EPOCH, "", "", Optional.empty(), Optional.empty());

    /** Returns a new session. */
    static Session start(ClientInfo client, SessionOptions options, Instant now, Duration ttl) {
        String id = Base64Url.random(ID_BYTES);
        Instant end = now.plus(ttl);
        return new Session(id, now, end, client.userAgent(), client.address(), options.name(), options.expiresIn());
    }

    /** Returns the same session with a new token, and with its start corrected. */
    Session renew(ClientInfo client, Instant start, Instant now, Duration ttl) {
        return new Session(id, start, now.plus(ttl), client.userAgent(), client.address(), name, expiresIn);
    }
}
