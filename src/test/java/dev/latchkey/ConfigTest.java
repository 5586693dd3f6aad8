package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.logging.Logs;
import dev.latchkey.tokens.TokenFormat;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigTest {
    @Test
    void unset_and_blank_variables_have_the_documented_defaults() throws Exception {
        var expected = new Config(
                "0.0.0.0",
                8080,
                "redis://localhost:6379",
                false,
                Duration.ofSeconds(1),
                Duration.ofHours(1),
                TokenFormat.PLAIN,
                600_000,
                8,
                true,
                0,
                16_384,
                50,
                1000,
                262_144,
                Logs.Format.TEXT,
                System.Logger.Level.INFO,
                Duration.ofSeconds(20),
                Duration.ZERO);
        assertEquals(expected, Config.from(Map.of()));
        assertEquals(expected, Config.from(Map.of("PORT", "", "TOKEN_TTL", " ")));
    }

    @Test
    void all_errors_are_reported_together() {
        var e = assertThrows(
                Config.Invalid.class,
                () -> Config.from(Map.of(
                        "PORT",
                        "70000",
                        "TOKEN_TTL",
                        "0",
                        "PBKDF2_ITERATIONS",
                        "99999",
                        "REDIS_URL",
                        "http://x",
                        "MAX_BODY_BYTES",
                        "1k",
                        "TOKEN_STORAGE",
                        "both",
                        "LOG_LEVEL",
                        "loud",
                        "LOGIN_THROTTLE",
                        "no",
                        "SHUTDOWN_GRACE_SECONDS",
                        "5",
                        "SHUTDOWN_LAME_DUCK_SECONDS",
                        "5")));
        List<String> lines = String.valueOf(e.getMessage()).lines().toList();
        assertEquals(9, lines.size(), lines::toString);
        assertTrue(lines.contains("PORT must be a whole number from 0 to 65535, not '70000'"));
        assertTrue(lines.contains(
                "SHUTDOWN_LAME_DUCK_SECONDS must be less than SHUTDOWN_GRACE_SECONDS, which includes it"));
        assertTrue(lines.contains("TOKEN_STORAGE must be one of plain, hashed, not 'both'"));
        assertTrue(lines.contains("LOGIN_THROTTLE must be one of true, false, not 'no'"));
        assertTrue(lines.contains("LOG_LEVEL must be one of info, trace, debug, warning, error, not 'loud'"));
        assertTrue(lines.contains("MAX_BODY_BYTES must be a whole number from 1024 to 1048576, not '1k'"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"redis://:s3cr/et@host:1", "rediss://user:s3cret@[::1", "s3cret", "redis://app:s3cret@host:99999"
            })
    void the_error_about_an_invalid_redis_url_does_not_contain_its_password(String url) {
        var e = assertThrows(Config.Invalid.class, () -> Config.from(Map.of("REDIS_URL", url)));
        assertFalse(String.valueOf(e.getMessage()).contains("s3cr"), e.getMessage());
    }

    @Test
    void the_string_form_of_a_configuration_contains_no_secrets() throws Exception {
        var config = Config.from(Map.of("REDIS_URL", "redis://app:s3cret@localhost"));
        assertFalse(config.toString().contains("s3cret"));
    }
}
