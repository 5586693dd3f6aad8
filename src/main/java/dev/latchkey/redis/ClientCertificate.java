package dev.latchkey.redis;

import io.lettuce.core.SslOptions;
import java.io.File;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;

/** The client certificate for TLS, in the key store that the JDK's standard system properties name. */
final class ClientCertificate {
    private ClientCertificate() {}

    /** @throws IllegalArgumentException if there is a key store that cannot be read */
    static SslOptions options() {
        String file = System.getProperty("javax.net.ssl.keyStore", "");
        if (file.isEmpty()) {
            return SslOptions.create();
        }
        char[] password =
                System.getProperty("javax.net.ssl.keyStorePassword", "").toCharArray();
        try {
            // Lettuce would read the file at each connect. If that failed, netty would log a stack trace each time.
            var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(KeyStore.getInstance(new File(file), password), password);
            return SslOptions.builder().keyManager(keys).build();
        } catch (GeneralSecurityException | IOException | IllegalArgumentException e) {
            String error = "uses TLS, but javax.net.ssl.keyStore is not readable: ";
            throw new IllegalArgumentException(error + e.getMessage());
        }
    }
}
