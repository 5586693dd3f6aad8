package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.overload.ContentionException;
import dev.latchkey.redis.WrongTypeException;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.TestApp;
import io.lettuce.core.SetArgs;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
    void deleting_a_missing_user_deletes_what_an_earlier_deletion_has_left() {
        admin.commands().hset("sessions:nobody", "suffix", "{}");
        admin.commands().set("tokens:suffix", "nobody");
        admin.commands().hset("todos:nobody", "id", "{}");
        assertFalse(accounts.delete("nobody").userExisted());
        assertEquals(List.of(), admin.commands().keys("*"));
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
    void the_user_of_a_registration_or_deletion_in_progress_is_not_changed_but_its_sessions_end() {
        reserve("carol");
        assertFalse(accounts.exists("carol"));
        for (Consumer<String> operation : Set.<Consumer<String>>of(
                accounts::disable, name -> accounts.setPassword(new Username(name), TestApp.PASSWORD))) {
            storeSession("carol");
            var e = assertThrows(ContentionException.class, () -> operation.accept("carol"));
            assertTrue(e.retrySeconds() > 50 && e.retrySeconds() <= 60, () -> "seconds: " + e.retrySeconds());
            assertEquals(List.of(), admin.commands().keys("tokens:*"));
        }
        storeSession("carol");
        accounts.endSessions("carol");
        assertEquals(List.of(), admin.commands().keys("tokens:*"));
    }

    /** The deletion of a route or a command may have stopped half-way. */
    @Test
    void a_deletion_that_has_stopped_half_way_is_completed() {
        reserve("carol");
        storeSession("carol");
        accounts.delete("carol");
        assertEquals(0, admin.commands().dbsize());
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[]", "\"text\"", "{\"username\":\"dave\"}"})
    void sessions_end_and_a_user_can_be_repaired_and_deleted_although_the_record_is_damaged(String json) {
        for (Consumer<String> operation : List.<Consumer<String>>of(
                accounts::endSessions,
                accounts::disable,
                accounts::delete,
                name -> accounts.setPassword(new Username(name), TestApp.PASSWORD))) {
            admin.commands().set("users:dave", json);
            storeSession("dave");
            operation.accept("dave");
            assertEquals(List.of(), admin.commands().keys("tokens:*"));
        }
        assertTrue(admin.commands().get("users:dave").contains("pbkdf2"));
    }

    @Test
    void sessions_end_although_the_record_has_the_wrong_type() {
        admin.commands().lpush("users:dave", "x");
        storeSession("dave");
        assertThrows(WrongTypeException.class, () -> accounts.disable("dave"));
        assertEquals(List.of(), admin.commands().keys("tokens:*"));
    }

    private void storeSession(String name) {
        String token = UUID.randomUUID().toString();
        admin.commands().set("tokens:" + token, name);
        admin.commands().hset("sessions:" + name, token, "{}");
    }
}
