package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.TestApp;
import io.lettuce.core.SetArgs;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the commands of an operator do to accounts, without a process per command. */
class AccountAdministrationTest {
    private static final String RECORD =
            "{\"username\":\"%s\",\"passwordHash\":\"%s\",\"createdDate\":\"2026-03-19T12:00:00.000Z\"}";

    private EmbeddedRedis redis;
    private RedisAdmin admin;
    private Core core;
    private AccountAdministration accounts;

    @BeforeEach
    void start() throws Exception {
        redis = EmbeddedRedis.start();
        admin = new RedisAdmin(redis.url(), false);
        core = Core.open(TestApp.config(redis.url()));
        accounts = new AccountAdministration(core.accounts());
    }

    @AfterEach
    void stop() throws Exception {
        core.close();
        admin.close();
        redis.close();
    }

    private void store(String name, String hash) {
        admin.commands().set("users:" + name, RECORD.formatted(name, hash));
    }

    private void reserve(String name) {
        admin.commands().set("users:" + name, RECORD.formatted(name, ""), SetArgs.Builder.ex(60));
    }

    @Test
    void each_user_has_a_state_and_a_reservation_is_no_user() {
        store("alice", "x");
        store("Bad Name", "x");
        store("bob", "");
        admin.commands().set("users:mallory", "{");
        reserve("carol");
        Map<String, String> states = new TreeMap<>();
        accounts.forEachUser(user -> states.put(user.username(), user.state()));
        assertEquals(
                Map.of(
                        "alice", "enabled",
                        "Bad Name", "enabled",
                        "bob", "disabled",
                        "mallory", "unreadable"),
                states);
    }

    @Test
    void a_name_means_the_stored_user_of_exactly_that_name_before_the_folded_one() {
        store("Alice", "x");
        assertEquals("Alice", accounts.resolve("Alice"));
        assertEquals("bob", accounts.resolve("Bob"));
        assertEquals("Bad Name", accounts.resolve("Bad Name"));
        assertTrue(accounts.exists("Alice"));
        assertFalse(accounts.exists("alice"));
    }

    @Test
    void an_operation_on_a_missing_user_says_so() {
        for (var result :
                List.of(accounts.disable("nobody"), accounts.endSessions("nobody"), accounts.delete("nobody"))) {
            assertFalse(result.userExisted());
            assertEquals(Set.of(), result.endedSessionIds());
        }
        assertEquals(0, admin.commands().dbsize());
    }

    @Test
    void disabling_a_user_twice_changes_nothing_more_and_set_password_enables_the_user_again() {
        accounts.setPassword(new Username("alice"), TestApp.PASSWORD);
        assertTrue(accounts.disable("alice").userExisted());
        String disabled = admin.commands().get("users:alice");
        assertTrue(accounts.disable("alice").userExisted());
        assertEquals(disabled, admin.commands().get("users:alice"));
        assertTrue(accounts.setPassword(new Username("alice"), TestApp.PASSWORD).userExisted());
        assertFalse(admin.commands().get("users:alice").contains("\"passwordHash\":\"\""));
    }

    @Test
    void no_operation_interferes_with_a_registration_or_deletion_in_progress() {
        reserve("carol");
        assertFalse(accounts.exists("carol"));
        for (Consumer<String> operation : Set.<Consumer<String>>of(
                accounts::disable,
                accounts::endSessions,
                accounts::delete,
                name -> accounts.setPassword(new Username(name), TestApp.PASSWORD))) {
            var e = assertThrows(ContentionException.class, () -> operation.accept("carol"));
            assertTrue(e.retrySeconds() > 50 && e.retrySeconds() <= 60, () -> "seconds: " + e.retrySeconds());
        }
    }
}
