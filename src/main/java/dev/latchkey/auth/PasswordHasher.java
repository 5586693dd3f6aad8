package dev.latchkey.auth;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) as PHC strings {@code $pbkdf2-sha256$i=600000$SALT$KEY}, Base64 without padding.
 *
 * <p>Runs on platform threads of its own. A hash is some 150 ms of pure CPU and virtual threads are not time-sliced: on
 * them, as many logins as there are cores would stop every token check. Who has not got one of those threads in time is
 * refused, and not before: clients that are refused at once ask again at once, and cost the token checks more than the
 * hashes do.
 */
public final class PasswordHasher implements AutoCloseable {
    /** A stored count beyond this is refused, not run: whoever can write one record could else stall every login. */
    static final int MAX_ITERATIONS = 10_000_000;

    private static final System.Logger LOG = System.getLogger("latchkey.auth");
    private static final int SALT_BYTES = 16;
    private static final int KEY_BITS = 256;
    private static final Duration MAX_WAIT = Duration.ofSeconds(3); // by then the client has mostly given up
    private static final Pattern PHC =
            Pattern.compile("\\$pbkdf2-sha256\\$i=([1-9][0-9]{0,7})\\$([A-Za-z0-9+/]{22})\\$([A-Za-z0-9+/]{43})");
    private static final Base64.Encoder BASE64 = Base64.getEncoder().withoutPadding();

    private final int iterations;
    private final Duration maxWait;
    private final SecureRandom random = new SecureRandom();
    private final ExecutorService pool;
    private final Semaphore turns; // one a thread, in the order in which they were asked for
    private final String dummy;

    /** More passwords wait to be hashed than can be in good time: try again later. */
    public static final class BusyException extends RuntimeException {
        private static final long serialVersionUID = 1;

        BusyException() {
            super("too many passwords wait to be hashed", null, false, false);
        }
    }

    /**
     * @param iterations of new hashes
     * @param threads that hash at the same time
     * @param maxWait for one of them
     */
    PasswordHasher(int iterations, int threads, Duration maxWait) {
        this.iterations = iterations;
        this.maxWait = maxWait;
        pool = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().daemon().name("password-hash-", 0).factory());
        turns = new Semaphore(threads, true);
        dummy = phc(new byte[SALT_BYTES], new byte[KEY_BITS / 8]);
    }

    /** With all cores but one. */
    public static PasswordHasher create(int iterations) {
        return new PasswordHasher(iterations, Math.max(1, Runtime.getRuntime().availableProcessors() - 1), MAX_WAIT);
    }

    /** @throws BusyException where it has waited too long */
    public String hash(String password) {
        byte[] salt = new byte[SALT_BYTES];
        random.nextBytes(salt);
        return phc(salt, derive(password, salt, iterations));
    }

    /** Whether it has fewer iterations than a new hash gets. */
    boolean isOutdated(String phc) {
        var parts = PHC.matcher(phc);
        return parts.matches() && Integer.parseInt(parts.group(1)) < iterations;
    }

    /**
     * Whether it is the password of that hash. Costs no less where {@code phc} is null, for a user who does not exist, or is
     * not a hash to be run, or has fewer iterations: so that nobody can tell by the clock which names exist.
     *
     * @throws BusyException where it has waited too long
     */
    public boolean verify(String password, @Nullable String phc) {
        var parts = PHC.matcher(phc == null ? "" : phc);
        boolean real = parts.matches() && Integer.parseInt(parts.group(1)) <= MAX_ITERATIONS;
        if (!real) {
            if (phc != null && !phc.isEmpty()) {
                LOG.log(System.Logger.Level.WARNING, "a stored password hash cannot be run: that user cannot log in");
            }
            parts = PHC.matcher(dummy);
            parts.matches();
        }
        byte[] salt = Base64.getDecoder().decode(parts.group(2));
        byte[] key = Base64.getDecoder().decode(parts.group(3));
        return MessageDigest.isEqual(key, derive(password, salt, Integer.parseInt(parts.group(1)))) && real;
    }

    private String phc(byte[] salt, byte[] key) {
        return "$pbkdf2-sha256$i=" + iterations + "$" + BASE64.encodeToString(salt) + "$" + BASE64.encodeToString(key);
    }

    private byte[] derive(String password, byte[] salt, int count) {
        return run(() -> {
            if (count < iterations) {
                pbkdf2(password, salt, iterations - count, KEY_BITS); // only the time it takes is wanted
            }
            return pbkdf2(password, salt, count, KEY_BITS);
        });
    }

    private byte[] run(Callable<byte[]> task) {
        try {
            if (!turns.tryAcquire(maxWait.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new BusyException();
            }
            try {
                return pool.submit(task).get();
            } finally {
                turns.release();
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
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

    @Override
    public void close() {
        pool.shutdownNow();
    }
}
