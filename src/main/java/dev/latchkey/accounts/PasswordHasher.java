package dev.latchkey.accounts;

import dev.latchkey.metrics.Histogram;
import dev.latchkey.metrics.Registry;
import dev.latchkey.overload.Bulkhead;
import dev.latchkey.overload.OverloadedException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.regex.Pattern;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Hashes passwords with PBKDF2-HMAC-SHA256 (RFC 8018 §5.2). A hash is a PHC string {@code
 * $pbkdf2-sha256$i=600000$SALT$KEY}, with salt and key in base64 without padding. New salts have 16 bytes. Stored salts
 * may have 8 to 64 bytes, so that hashes of other software can be imported.
 *
 * <p>Each hash is computed on a platform thread of its own. One hash takes about 150 ms of CPU, and virtual threads are not
 * time-sliced: on virtual threads, as many logins as there are cores would stop all token checks.
 *
 * <p>HMAC replaces a key of more than 64 bytes by its SHA-256 digest (RFC 2104 §2). For such a password, the 32 bytes
 * of the digest would be accepted too, and no password has more than 256 bits of strength. Neither helps an attacker.
 */
public final class PasswordHasher {
    /**
     * Caps the work that a stored hash can demand. Otherwise anyone able to write one user record could stall every
     * login.
     */
    static final int MAX_ITERATIONS = 10_000_000;

    private static final int SALT_BYTES = 16;
    private static final int KEY_BITS = 256;
    // Base64 of 8 to 64 bytes has 11 to 86 characters. No number of bytes has 4n + 1 characters.
    private static final Pattern PHC = Pattern.compile("\\$pbkdf2-sha256\\$i=([1-9][0-9]{0,7})"
            + "\\$((?=[^$]{11,86}\\$)(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2,4})\\$([A-Za-z0-9+/]{43})");
    private static final Base64.Encoder BASE64 = Base64.getEncoder().withoutPadding();

    private final int iterations;
    private final Bulkhead threads;
    private final SecureRandom random = new SecureRandom();
    private final Histogram durations = new Histogram();
    private final String dummyHash;

    /**
     * @param iterations of new hashes
     * @param threads limits how many hashes are computed at the same time
     */
    PasswordHasher(int iterations, Bulkhead threads) {
        this.iterations = iterations;
        this.threads = threads;
        dummyHash = phc(new byte[SALT_BYTES], new byte[KEY_BITS / 8]);
    }

    /** Returns a hasher that uses all CPU cores except one. */
    public static PasswordHasher create(int iterations) {
        int threads = Math.max(1, Runtime.getRuntime().availableProcessors() - 1);
        return new PasswordHasher(iterations, new Bulkhead(threads));
    }

    /** Adds the measurements of this object to a registry. */
    public void register(Registry registry) {
        String duration = "Time to compute or verify a password hash, without the wait for a thread.";
        registry.histogram("latchkey_password_hash_duration_seconds", duration, durations);
        registry.gauge("latchkey_password_hashes_waiting", "Requests that wait for a hash thread.", threads::waiting);
    }

    /**
     * Waits for a hash thread.
     *
     * @param owner of the hash, the address for the rate limit: one address cannot keep the threads for itself
     * @throws OverloadedException if none was free for 3 seconds
     */
    Turn awaitTurn(String owner) {
        long requestedNanos = System.nanoTime();
        return new Turn(threads.enter(owner), requestedNanos);
    }

    /** The use of a hash thread, for one hash after the other, until it is closed. */
    final class Turn implements AutoCloseable {
        private final Bulkhead.Permit permit;
        private final long requestedNanos;

        private Turn(Bulkhead.Permit permit, long requestedNanos) {
            this.permit = permit;
            this.requestedNanos = requestedNanos;
        }

        /** Returns when the wait for the thread began, a value of {@link System#nanoTime}. */
        long requestedNanos() {
            return requestedNanos;
        }

        /** Returns the hash of a password with a new random salt. */
        String hash(String password) {
            return compute(() -> newHash(password));
        }

        /**
         * Reports whether {@code password} matches the hash. A password with a control character never matches.
         *
         * <p>The cost is the same if {@code phc} is null (there is no such user), is not a usable hash, or has fewer
         * iterations. Otherwise the response time would reveal which usernames exist.
         */
        boolean verify(String password, @Nullable String phc) {
            return compute(() -> matches(password, phc));
        }

        @Override
        public void close() {
            permit.close();
        }
    }

    /** Reports whether the hash has fewer iterations than a new hash would have. */
    boolean isOutdated(String phc) {
        var parts = PHC.matcher(phc);
        return parts.matches() && Integer.parseInt(parts.group(1)) < iterations;
    }

    /** Reports whether passwords can be compared with the hash. */
    static boolean isUsable(String phc) {
        var parts = PHC.matcher(phc);
        return parts.matches() && Integer.parseInt(parts.group(1)) <= MAX_ITERATIONS;
    }

    private String newHash(String password) throws GeneralSecurityException {
        byte[] salt = new byte[SALT_BYTES];
        random.nextBytes(salt);
        return phc(salt, pbkdf2(password, salt, iterations, KEY_BITS));
    }

    private boolean matches(String password, @Nullable String phc) throws GeneralSecurityException {
        boolean isUsable = phc != null && isUsable(phc);
        var parts = PHC.matcher(isUsable ? phc : dummyHash);
        parts.matches();
        int count = Integer.parseInt(parts.group(1));
        byte[] salt = Base64.getDecoder().decode(parts.group(2));
        byte[] key = Base64.getDecoder().decode(parts.group(3));
        if (count < iterations) {
            pbkdf2(password, salt, iterations - count, KEY_BITS); // only for the time it takes
        }
        boolean equal = MessageDigest.isEqual(key, pbkdf2(password, salt, count, KEY_BITS));
        return equal && isUsable && !PasswordPolicy.hasControlCharacter(password);
    }

    private String phc(byte[] salt, byte[] key) {
        return "$pbkdf2-sha256$i=" + iterations + "$" + BASE64.encodeToString(salt) + "$" + BASE64.encodeToString(key);
    }

    private <T> T compute(Callable<T> hash) {
        long start = System.nanoTime();
        var task = new FutureTask<>(hash);
        Thread.ofPlatform().daemon().name("password-hash").start(task);
        try {
            return task.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        } finally {
            durations.recordSince(start);
        }
    }

    static byte[] pbkdf2(String password, byte[] salt, int count, int keyBits) throws GeneralSecurityException {
        var spec = new PBEKeySpec(password.toCharArray(), salt, count, keyBits);
        try {
            return SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
                    .generateSecret(spec)
                    .getEncoded();
        } finally {
            spec.clearPassword();
        }
    }
}
