package dev.latchkey.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A private authority that has issued a certificate for {@code localhost} to Redis, and another certificate to the
 * service. They are PEM files, as most authorities send them.
 *
 * @param folder contains {@code ca.crt}, {@code redis.crt}, {@code redis.key}, {@code client.crt} and {@code client.key},
 *     and {@code expired.crt} and {@code expired.key} like those of Redis
 */
public record Certificates(Path folder) {
    private static final char[] PASSWORD = "changeit".toCharArray();

    public static Certificates create(Path folder) throws IOException, GeneralSecurityException, InterruptedException {
        var certificates = new Certificates(folder);
        Path file = folder.resolve("authority.p12");
        keytool(file, "-alias ca -dname CN=authority -ext bc:c");
        keytool(file, "-alias redis -dname CN=redis -ext san=dns:localhost -signer ca");
        keytool(file, "-alias expired -dname CN=redis -ext san=dns:localhost -signer ca -startdate -2d -validity 1");
        keytool(file, "-alias client -dname CN=latchkey -signer ca");
        var keys = KeyStore.getInstance(file.toFile(), PASSWORD);
        for (String name : List.of("ca", "redis", "expired", "client")) {
            byte[] certificate = keys.getCertificate(name).getEncoded();
            certificates.pem(name + ".crt", "CERTIFICATE", certificate);
            byte[] key = keys.getKey(name, PASSWORD).getEncoded();
            certificates.pem(name + ".key", "PRIVATE KEY", key);
        }
        return certificates;
    }

    private static void keytool(Path file, String options) throws IOException, InterruptedException {
        Path keytool = Path.of(System.getProperty("java.home"), "bin", "keytool");
        List<String> command = new ArrayList<>(List.of(keytool.toString(), "-genkeypair", "-keyalg", "EC"));
        command.addAll(List.of("-keystore", file.toString(), "-storepass", new String(PASSWORD)));
        command.addAll(List.of(options.split(" ", -1)));
        if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
            throw new IOException("keytool failed; see its output");
        }
    }

    private void pem(String file, String type, byte[] content) throws IOException {
        String text = Base64.getMimeEncoder().encodeToString(content);
        Files.writeString(
                folder.resolve(file), "-----BEGIN " + type + "-----\n" + text + "\n-----END " + type + "-----\n");
    }

    /**
     * Returns directives of redis.conf for a Redis that accepts TLS on a port. It asks for client certificates, because
     * that is Redis's default.
     */
    public Map<String, String> redisSettings(int port) {
        return new HashMap<>(Map.of(
                "port", "0",
                "tls-port", Integer.toString(port),
                "tls-cert-file", folder.resolve("redis.crt").toString(),
                "tls-key-file", folder.resolve("redis.key").toString(),
                "tls-ca-cert-file", folder.resolve("ca.crt").toString()));
    }

    /** Makes this JVM trust the authority. */
    public void trust() throws IOException, GeneralSecurityException {
        var trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry(
                "ca",
                KeyStore.getInstance(folder.resolve("authority.p12").toFile(), PASSWORD)
                        .getCertificate("ca"));
        Path file = folder.resolve("trusted.p12");
        try (var out = Files.newOutputStream(file)) {
            trusted.store(out, PASSWORD);
        }
        System.setProperty("javax.net.ssl.trustStore", file.toString());
        System.setProperty("javax.net.ssl.trustStorePassword", new String(PASSWORD));
    }
}
