package dev.latchkey.auth;

import dev.latchkey.overload.Bulkhead;
import dev.latchkey.overload.OverloadedException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) as PHC strings {@code $pbkdf2-sha256$i=600000$SALT$KEY}, Base64 without padding.
 *
 * <p>Runs on platform threads of its own. A hash is some 150 ms of pure CPU and virtual threads are not time-sliced: on
 * them, as many logins as there are cores would stop every token check.
 *
 * <p>HMAC replaces a key of more than 64 bytes by its SHA-256 (RFC 2104 §2). So the 32 bytes of that digest, if they were
 * typed, would be accepted for such a password, and no password has more than 256 bits of strength. Neither helps to guess one.
 */
public final class PasswordHasher implements AutoCloseable {
    /** A stored count beyond this is refused, not run: whoever can write one record could else stall every login. */
    static final int MAX_ITERATIONS = 10_000_000;

    private static final System.Logger LOG = System.getLogger("latchkey.auth");
    private static final int SALT_BYTES = 16;
    private static final int KEY_BITS = 256;
    private static final Pattern PHC =
            Pattern.compile("\\$pbkdf2-sha256\\$i=([1-9][0-9]{0,7})\\$([A-Za-z0-9+/]{22})\\$([A-Za-z0-9+/]{43})");
    private static final Base64.Encoder BASE64 = Base64.getEncoder().withoutPadding();

    private final int iterations;
    private final SecureRandom random = new SecureRandom();
    private final ExecutorService pool;
    private final Bulkhead turns;
    private final String dummy;

    /**
     * @param iterations of new hashes
     * @param threads that hash at the same time
     * @param maxWait of a password for one of them
     */
    PasswordHasher(int iterations, int threads, Duration maxWait) {
        this(iterations, threads, new Bulkhead(threads, maxWait));
    }

    private PasswordHasher(int iterations, int threads, Bulkhead turns) {
        this.iterations = iterations;
        this.turns = turns;
        pool = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().daemon().name("password-hash-", 0).factory());
        dummy = phc(new byte[SALT_BYTES], new byte[KEY_BITS / 8]);
    }

    /** With all cores but one. */
    public static PasswordHasher create(int iterations) {
        int threads = Math.max(1, Runtime.getRuntime().availableProcessors() - 1);
        return new PasswordHasher(iterations, threads, new Bulkhead(threads));
    }

    /** @throws OverloadedException if it has waited too long */
    public String hash(String password) {
        return inTurn(() -> newHash(password));
    }

    /** Whether it has fewer iterations than a new hash gets. */
    boolean isOutdated(String phc) {
        var parts = PHC.matcher(phc);
        return parts.matches() && Integer.parseInt(parts.group(1)) < iterations;
    }

    /**
     * Reports whether it is the password of that hash. The cost is the same if {@code phc} is null, for a user who does not
     * exist, or is not a hash to be run, or has fewer iterations: otherwise the time would tell which usernames exist. A
     * password with a control character is never right.
     *
     * @throws OverloadedException if it has waited too long
     */
    public boolean verify(String password, @Nullable String phc) {
        return inTurn(() -> matches(password, phc));
    }

    /**
     * Returns the hash to store when a password is changed: a new one if {@code current} is the password of {@code phc}, {@code
     * phc} itself if {@code next} is its password already, and null otherwise. Takes one turn for the two hashes, so that a
     * change that has begun can be finished.
     *
     * @throws OverloadedException if it has waited too long, and no hash has been computed
     */
    @Nullable
    String replacement(String current, @Nullable String phc, String next) {
        return inTurn(() -> matches(current, phc) ? newHash(next) : matches(next, phc) ? phc : null);
    }

    private String newHash(String password) throws GeneralSecurityException {
        byte[] salt = new byte[SALT_BYTES];
        random.nextBytes(salt);
        return phc(salt, pbkdf2(password, salt, iterations, KEY_BITS));
    }

    private boolean matches(String password, @Nullable String phc) throws GeneralSecurityException {
        var parts = PHC.matcher(phc == null ? "" : phc);
        boolean real = parts.matches() && Integer.parseInt(parts.group(1)) <= MAX_ITERATIONS;
        if (!real) {
            if (phc != null && !phc.isEmpty()) {
                LOG.log(System.Logger.Level.WARNING, "a stored password hash cannot be run: that user cannot log in");
            }
            parts = PHC.matcher(dummy);
            parts.matches();
        }
        int count = Integer.parseInt(parts.group(1));
        byte[] salt = Base64.getDecoder().decode(parts.group(2));
        byte[] key = Base64.getDecoder().decode(parts.group(3));
        if (count < iterations) {
            pbkdf2(password, salt, iterations - count, KEY_BITS); // only the time it takes is wanted
        }
        boolean equal = MessageDigest.isEqual(key, pbkdf2(password, salt, count, KEY_BITS));
        return equal && real && !PasswordPolicy.hasControlCharacter(password);
    }

    private String phc(byte[] salt, byte[] key) {
        return "$pbkdf2-sha256$i=" + iterations + "$" + BASE64.encodeToString(salt) + "$" + BASE64.encodeToString(key);
    }

    private <T extends @Nullable Object> T inTurn(Callable<T> task) {
        return turns.run(() -> {
            try {
                return pool.submit(task).get();
            } catch (ExecutionException e) {
                throw new IllegalStateException(e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        });
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
