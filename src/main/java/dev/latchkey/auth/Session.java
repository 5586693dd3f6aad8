package dev.latchkey.auth;

import dev.latchkey.http.Client;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;

/**
 * What an entry of {@code sessions:{username}} holds: the session from login to its end, over all of its tokens.
 *
 * @param id public: random, and not derived from a token. The same for as long as the session lives
 * @param createdDate of the login
 * @param expiresDate of its current token
 * @param userAgent of the client that got the current token, as is {@code address}
 */
record Session(String id, Instant createdDate, Instant expiresDate, String userAgent, String address) {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final int ID_BYTES = 16;

    /** Stands for an entry that cannot be read: no client knows its id, and it is the first to be evicted. */
    static final Session UNREADABLE = new Session("", Instant.EPOCH, Instant.EPOCH, "", "");

    static Session begin(Client client, Instant now, Duration ttl) {
        byte[] bytes = new byte[ID_BYTES];
        RANDOM.nextBytes(bytes);
        String id = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
        return new Session(id, now, now.plus(ttl), client.userAgent(), client.address());
    }

    /** The same session, seen with another token. */
    Session renew(Client client, Instant now, Duration ttl) {
        return new Session(id, createdDate, now.plus(ttl), client.userAgent(), client.address());
    }
}
