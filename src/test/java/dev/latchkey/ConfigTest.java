package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.api.ClientCredentials;
import dev.latchkey.config.Config;
import dev.latchkey.http.Cors;
import dev.latchkey.http.HttpSettings;
import dev.latchkey.logging.Logs;
import dev.latchkey.redis.RedisSettings;
import dev.latchkey.tokens.Lifetimes;
import dev.latchkey.tokens.TokenFormat;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigTest {
    @Test
    void unset_and_blank_variables_have_the_documented_defaults() throws Exception {
        var expected = new Config(
                new HttpSettings(new InetSocketAddress("0.0.0.0", 8080), null, 16_384, 0, new Cors(Set.of()), true),
                new RedisSettings("redis://localhost:6379", false, "", Duration.ofSeconds(1)),
                new Lifetimes(Duration.ofHours(1), Duration.ofDays(30)),
                TokenFormat.PLAIN,
                true,
                600_000,
                8,
                true,
                null,
                false,
                true,
                50,
                1000,
                Logs.Format.TEXT,
                System.Logger.Level.INFO,
                Duration.ofSeconds(20),
                Duration.ZERO);
        assertEquals(expected, Config.from(Map.of()));
        assertEquals(expected, Config.from(Map.of("PORT", "", "TOKEN_TTL", " ")));
    }

    @Test
    void all_errors_are_reported_together() {
        List<String> lines = error(
                        "PORT", "70000",
                        "TOKEN_TTL", "0",
                        "PBKDF2_ITERATIONS", "99999",
                        "REDIS_URL", "http://x",
                        "MAX_BODY_BYTES", "1k",
                        "TOKEN_STORAGE", "both",
                        "LOG_LEVEL", "loud",
                        "LOGIN_THROTTLE", "no",
                        "SHUTDOWN_GRACE_SECONDS", "5",
                        "SHUTDOWN_LAME_DUCK_SECONDS", "5",
                        "REGISTRATION", "invite")
                .lines()
                .toList();
        assertEquals(10, lines.size(), lines::toString);
        assertTrue(lines.contains("PORT must be a whole number from 0 to 65535, not '70000'"));
        assertTrue(lines.contains(
                "SHUTDOWN_LAME_DUCK_SECONDS must be less than SHUTDOWN_GRACE_SECONDS, which includes it"));
        assertTrue(lines.contains("TOKEN_STORAGE must be one of plain, hashed, not 'both'"));
        assertTrue(lines.contains("REGISTRATION must be one of open, closed, not 'invite'"));
        assertTrue(lines.contains("LOGIN_THROTTLE must be one of true, false, not 'no'"));
        assertTrue(lines.contains("LOG_LEVEL must be one of info, trace, debug, warning, error, not 'loud'"));
        assertTrue(lines.contains("MAX_BODY_BYTES must be a whole number from 1024 to 1048576, not '1k'"));
    }

    private static String error(String... environment) {
        Map<String, String> variables = new HashMap<>();
        for (int i = 0; i < environment.length; i += 2) {
            variables.put(environment[i], environment[i + 1]);
        }
        return String.valueOf(
                assertThrows(Config.Invalid.class, () -> Config.from(variables)).getMessage());
    }

    /** conda sets HOST to the name of a platform. 192.0.2.1 is an address of another machine (RFC 5737). */
    @ParameterizedTest
    @ValueSource(strings = {"x86_64-conda-linux-gnu", "http://0.0.0.0", "127.0.0.1:8080", "192.0.2.1"})
    void a_host_that_the_service_cannot_listen_on_is_an_error_beside_the_others(String host) {
        assertEquals(
                List.of(
                        "HOST must be an address or host name of this machine, such as 0.0.0.0, not '" + host + "'",
                        "TOKEN_TTL must be a whole number from 1 to 2147483647, not '0'"),
                error("HOST", host, "TOKEN_TTL", "0").lines().toList());
    }

    @Test
    void the_metrics_port_has_the_same_host_and_is_unset_by_default() throws Exception {
        var config = Config.from(Map.of("HOST", "127.0.0.1", "METRICS_PORT", "9464"));
        assertEquals(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 9464),
                config.http().metricsAddress());
        var free = Config.from(Map.of("PORT", "0", "METRICS_PORT", "0"));
        assertEquals(new InetSocketAddress("0.0.0.0", 0), free.http().metricsAddress());
    }

    @Test
    void the_metrics_port_must_be_a_port_other_than_the_public_one() {
        assertEquals(
                "METRICS_PORT must not be the same as PORT, 8080, because metrics are not public",
                error("METRICS_PORT", "8080"));
        assertEquals(
                "METRICS_PORT must be a whole number from 0 to 65535, not 'on'",
                error("METRICS_PORT", "on", "PORT", "9464"));
        assertTrue(error("METRICS_PORT", "tcp://10.0.0.1:9464").endsWith(" set enableServiceLinks: false in the pod"));
    }

    /** The server closes the connection of a request after 30 s, so Redis must have failed by then. */
    @Test
    void a_redis_timeout_ends_before_the_request_does() {
        assertEquals(
                "REDIS_TIMEOUT_MS must be a whole number from 10 to 10000, not '30000'",
                error("REDIS_TIMEOUT_MS", "30000"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            http://:s3cret@host
            s3cret
            "redis://:s3cret@host"
            'redis://:s3cret@host'
            redis://
            redis://:s3cr/et@host:1
            redis://:s3cr?et@host
            redis://:s3cr#et@host
            redis://:s3cr@et@host
            redis://:s3cr%et@host
            redis://:s3cr et@host
            redis://:s3crét@host
            redis://user:s3cret@[::1
            redis://::1:6379
            redis://host:1:2
            redis://host name
            redis://localhost:abc
            redis://localhost:-1
            redis://localhost:
            redis://localhost:0
            redis://app:s3cret@host:99999
            redis://localhost:99999999999999999999
            redis-sentinel://one,two:x#main
            redis://localhost/s3cret
            redis://localhost/-1
            redis://localhost?database=1
            redis://localhost?ssl=true
            redis://localhost?verifyPeer=full
            rediss://localhost?verifyPeer=s3cret
            rediss://localhost?verifyPeer=ca&s3cret=1
            redis://localhost#main
            redis-sentinel://localhost
            redis://one,two
            """)
    void an_invalid_redis_url_is_refused_without_quoting_any_part_of_it(String url) {
        String error = error("REDIS_URL", url);
        assertTrue(error.startsWith("REDIS_URL must be redis://[user:password@]host"), error);
        assertFalse(error.contains("s3cr"), error);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            redis://localhost/1                        | true  | must not have a database
            redis://one,redis://two/1                  | false | must not have a database
            redis-sentinel://localhost#main            | true  | must be one URL, without REDIS_CLUSTER, if it names sentinels
            redis-sentinel://a#b,redis-sentinel://c#d  | false | must be one URL, without REDIS_CLUSTER, if it names sentinels
            rediss://one,redis://two                   | false | must have the same scheme in all URLs
            """)
    void a_redis_url_must_fit_a_cluster(String url, String cluster, String reason) {
        String error = error("REDIS_URL", url, "REDIS_CLUSTER", cluster);
        assertTrue(error.startsWith("REDIS_URL " + reason), error);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "redis://my_redis:6379",
                "redis://my_redis",
                "redis://[::1]:6379/",
                "redis://:p,ss:w%2Frd+@localhost/15",
                "rediss://default:p%40ss@127.0.0.1:6380/0?verifyPeer=CA",
                "redis://a:1, redis://:a,b@b:2,redis://c",
                "redis-sentinel://:p@my_sentinel:26379,two,[::1]:1/2#my-main_1",
                "rediss-sentinel://one?verifyPeer=none#main",
            })
    void a_valid_redis_url_is_accepted(String url) throws Exception {
        assertEquals(url, Config.from(Map.of("REDIS_URL", url)).redis().url());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "* | value 1",
                "null | value 1",
                "https://*.example | value 1",
                "app.example | value 1",
                "//app.example | value 1",
                "ftp://app.example | value 1",
                "https:// | value 1",
                "https://app.example/ | value 1",
                "https://app.example/app | value 1",
                "https://app.example? | value 1",
                "https://app.example# | value 1",
                "https://user:s3cret@app.example | value 1",
                "https://s3cret@app.example | value 1",
                "https://APP.example | value 1",
                "HTTPS://app.example | value 1",
                "https://bücher.example | value 1",
                "https://app..example | value 1",
                "https://.app.example | value 1",
                "https://app.example:443 | value 1",
                "http://app.example:80 | value 1",
                "https://app.example: | value 1",
                "https://app.example:0 | value 1",
                "https://app.example:08443 | value 1",
                "https://app.example:x | value 1",
                "https://[::1 | value 1",
                "https://[::FFFF] | value 1",
                "https://::1 | value 1",
                "https://app.example http://localhost:3000 | value 1",
                "https://app.example;http://localhost:3000 | value 1",
                "'https://app.example' | value 1",
                "https://a.example, | value 2",
                "https://a.example,,https://b.example | value 2",
                "https://a.example,https://s3cret@b.example,http://c.example,* | value 2"
            },
            quoteCharacter = '`')
    void an_origin_that_no_browser_sends_is_an_error_without_any_part_of_it(String origins, String invalid) {
        String error = error("CORS_ORIGINS", origins);
        assertTrue(error.startsWith("CORS_ORIGINS must list origins such as https://app.example or "), error);
        assertTrue(error.endsWith(" Invalid: " + invalid), error);
        assertFalse(error.contains("s3cr"), error);
    }

    @Test
    void valid_origins_are_accepted() throws Exception {
        List<String> origins = List.of(
                "https://app.example",
                "http://localhost:3000",
                "http://localhost:443",
                "https://a.b-c.example:8443",
                "http://my_app",
                "https://xn--bcher-kva.example",
                "https://1password.example",
                "http://127.0.0.1:1",
                "http://[::1]:65535");
        assertEquals(
                Set.copyOf(origins),
                Config.from(Map.of("CORS_ORIGINS", String.join(" , ", origins)))
                        .http()
                        .cors()
                        .origins());
    }

    @Test
    void a_session_lives_at_least_as_long_as_a_token() throws Exception {
        assertEquals("SESSION_MAX_AGE must not be less than TOKEN_TTL", error("SESSION_MAX_AGE", "3599"));
        var config = Config.from(Map.of("TOKEN_TTL", "9999999"));
        assertEquals(
                config.lifetimes().token(), config.lifetimes().session(), "A longer TOKEN_TTL must raise the default.");
    }

    @Test
    void warn_is_another_name_for_warning() throws Exception {
        assertEquals(
                System.Logger.Level.WARNING,
                Config.from(Map.of("LOG_LEVEL", "Warn")).logLevel());
    }

    @Test
    void a_secret_can_be_in_a_file(@TempDir Path folder) throws Exception {
        Path url = Files.writeString(folder.resolve("url"), "\n redis://app:s3cr%C3%A9t@redis/1\r\n");
        Path password = Files.writeString(folder.resolve("password"), "\uFEFFs3crét");
        var files = Map.of("REDIS_URL_FILE", url.toString(), "REDIS_SENTINEL_PASSWORD_FILE", password.toString());
        RedisSettings redis = Config.from(files).redis();
        assertEquals("redis://app:s3cr%C3%A9t@redis/1", redis.url());
        assertEquals("s3crét", redis.sentinelPassword());
    }

    @Test
    void a_secret_cannot_be_in_a_variable_and_in_a_file() {
        assertEquals(
                "REDIS_URL and REDIS_URL_FILE must not both be set",
                error("REDIS_URL", "redis://localhost", "REDIS_URL_FILE", "/etc/hostname"));
    }

    /** /dev/zero never ends. */
    @ParameterizedTest
    @ValueSource(
            strings = {"", "/missing", "/empty", "/large", "/latin1", "/dev/zero", "redis://app:s3cret@redis", "\0"})
    void an_unusable_secret_file_is_an_error_without_its_name(String file, @TempDir Path folder) throws Exception {
        Files.createFile(folder.resolve("empty"));
        Files.writeString(folder.resolve("large"), "x".repeat(8193));
        Files.write(folder.resolve("latin1"), new byte[] {'s', (byte) 0xe9});
        boolean inFolder = file.isEmpty() || (file.startsWith("/") && !file.startsWith("/dev"));
        String error = error("REDIS_URL_FILE", inFolder ? folder + file : file);
        assertTrue(error.startsWith("REDIS_URL_FILE must name a file of 1 to 8192 bytes in UTF-8"), error);
        assertFalse(error.contains("s3cret") || error.contains(folder.toString()), error);
    }

    @Test
    void client_credentials_have_both_parts_or_neither(@TempDir Path folder) throws Exception {
        String secret = "s3cret/+:% 0123456789abcdef01234";
        var config = Config.from(Map.of("INTROSPECTION_CLIENT_ID", "a:b", "INTROSPECTION_CLIENT_SECRET", secret));
        assertEquals(new ClientCredentials("a:b", secret), config.introspectionClient());
        Path file = Files.writeString(folder.resolve("secret"), secret + "\n");
        config = Config.from(
                Map.of("INTROSPECTION_CLIENT_ID", "a:b", "INTROSPECTION_CLIENT_SECRET_FILE", file.toString()));
        assertEquals(new ClientCredentials("a:b", secret), config.introspectionClient());

        String idError = "INTROSPECTION_CLIENT_ID must have 1–256 printable ASCII characters if"
                + " INTROSPECTION_CLIENT_SECRET is set";
        assertEquals(idError, error("INTROSPECTION_CLIENT_SECRET", secret));
        assertEquals(idError, error("INTROSPECTION_CLIENT_SECRET", secret, "INTROSPECTION_CLIENT_ID", "café"));
        String secretError = "INTROSPECTION_CLIENT_SECRET must have 32–256 printable ASCII characters if"
                + " INTROSPECTION_CLIENT_ID is set";
        assertEquals(secretError, error("INTROSPECTION_CLIENT_ID", "a"));
        for (String bad : List.of(secret.substring(1), secret + "\t0", secret.repeat(9))) {
            assertEquals(secretError, error("INTROSPECTION_CLIENT_ID", "a", "INTROSPECTION_CLIENT_SECRET", bad));
        }
        assertEquals(
                secretError + System.lineSeparator() + idError,
                error("INTROSPECTION_CLIENT_ID", "é", "INTROSPECTION_CLIENT_SECRET", "short"));
    }

    @Test
    void the_string_form_of_a_configuration_contains_no_secrets() throws Exception {
        var config = Config.from(Map.of(
                "REDIS_URL", "redis://app:s3cret@localhost",
                "REDIS_SENTINEL_PASSWORD", "s3cret",
                "INTROSPECTION_CLIENT_ID", "client",
                "INTROSPECTION_CLIENT_SECRET", "s3cret-0123456789abcdef0123456789"));
        assertFalse(config.toString().contains("s3cret"));
    }
}
