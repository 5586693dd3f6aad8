package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Exploration;
import dev.latchkey.testing.Operation;
import dev.latchkey.testing.Race;
import dev.latchkey.testing.Races;
import dev.latchkey.testing.Races.Before;
import dev.latchkey.testing.Run;
import dev.latchkey.testing.Scheduler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** All orders of the Redis commands of two requests. {@code scripts/races} runs what takes longer. */
class ExplorerTest {
    private static final int RUNS = 3; // of each pair; scripts/races runs all
    private static final int RANDOM_ORDERS = 300;

    @AutoClose
    private static Races races;

    @AutoClose
    private static Races racesWithEviction;

    @BeforeAll
    static void start() throws Exception {
        races = new Races("plain", 3);
        racesWithEviction = new Races("hashed", 2);
    }

    @Test
    void every_pair_of_requests_keeps_the_rules() throws Exception {
        assertRules(Race.pairs(), (races, pair) -> {
            int seed = Race.pairs().indexOf(pair);
            return new Exploration(pair, races.prepare(pair))
                    .sample(races, seed, RUNS)
                    .sampleFaults(races, seed, 1)
                    .violations();
        });
    }

    @Test
    void every_request_keeps_the_rules_whatever_happens_to_one_of_its_commands() throws Exception {
        List<Race> requests = Stream.of(Operation.values()).map(Race::alone).toList();
        assertRules(
                requests,
                (races, request) ->
                        Exploration.withFaults(races, request, false).violations());
    }

    @FunctionalInterface
    private interface Search {
        /** Returns the rules that a race breaks. */
        List<String> violations(Races races, Race race) throws Exception;
    }

    private static void assertRules(List<Race> all, Search search) throws Exception {
        List<Race> withLogin =
                all.stream().filter(race -> race.toString().contains("LOGIN")).toList();
        List<Race> withoutLogin =
                all.stream().filter(race -> !withLogin.contains(race)).toList();
        try (var threads = Executors.newFixedThreadPool(2)) {
            var without = threads.submit(() -> violations(races, withoutLogin, search));
            var with = threads.submit(() -> violations(racesWithEviction, withLogin, search));
            assertEquals(List.of(), without.get());
            assertEquals(List.of(), with.get());
        }
    }

    private static List<String> violations(Races races, List<Race> all, Search search) throws Exception {
        List<String> violations = new ArrayList<>();
        for (Race race : all) {
            search.violations(races, race).forEach(order -> violations.add(race + ", order " + order));
        }
        return violations;
    }

    @ParameterizedTest
    @CsvSource({
        "REFRESH, VERIFY, true, false",
        "REFRESH, LOGOUT, true, false",
        "LOGOUT, CREATE_TODO, true, false",
        "PATCH_TODO, PATCH_TODO, false, false",
        "CREATE_TODO, DELETE_TODO, false, false",
        "REGISTER, LOGIN, false, false",
        "LOGIN, LOGOUT, false, false",
        "DELETE_TODO, PATCH_TODO, false, false",
        "LOGOUT, VERIFY, true, true",
        "CREATE_TODO, END_ALL_SESSIONS, false, false",
        "ISSUE_TOKEN, INTROSPECT, false, false",
        "DELETE_TODO, DELETE_TODO, true, true"
    })
    void the_reduction_misses_no_outcome(Operation first, Operation second, boolean sameToken, boolean withFaults)
            throws Exception {
        Race pair = Race.pair(first, second, sameToken);
        Exploration all = explore(pair, false, withFaults);
        Exploration reduced = explore(pair, true, withFaults);
        assertEquals(all.outcomes(), reduced.outcomes());
        assertTrue(reduced.orders() < all.orders(), reduced.orders() + " of " + all.orders());
        if (!withFaults) {
            Exploration random = new Exploration(pair, races.prepare(pair)).sample(races, 0, RANDOM_ORDERS);
            assertEquals(all.outcomes(), random.outcomes());
            assertTrue(random.orders() < RANDOM_ORDERS, random.orders() + " of " + RANDOM_ORDERS);
        }
    }

    private static Exploration explore(Race race, boolean reduced, boolean withFaults) throws Exception {
        return withFaults
                ? Exploration.withFaults(races, race, reduced)
                : new Exploration(race, races.prepare(race)).explore(races, reduced, null, Integer.MAX_VALUE);
    }

    @ParameterizedTest
    @EnumSource
    void the_documented_commands_of_a_request_are_those_that_it_sends(Operation operation) throws Exception {
        String name = operation.name().toLowerCase(Locale.ROOT).replace('_', ' ');
        String row = "| " + name + " | " + String.join(", ", racesWithEviction.commands(operation)) + " |";
        List<String> document = Files.readAllLines(Path.of("src/site/markdown/architecture.md"));
        assertTrue(document.contains(row), row);
    }

    /** After its own check of the token, and before it revoked the token, the logout did not see the refresh. */
    @ParameterizedTest
    @CsvSource({"LOGOUT, 204", "REVOKE, 200"})
    void a_logout_that_is_overtaken_by_a_refresh_ends_the_session(Operation logout, int status) throws Exception {
        Run run = replay(races, Race.pair(Operation.REFRESH, logout, true), "1100000");
        String outcome = run.toString();
        assertTrue(outcome.startsWith("[200, " + status + "], valid [token 1], "), outcome);
    }

    /** The token of the deletion is valid until the end. A todo that was created with it remained without an owner. */
    @Test
    void a_todo_that_is_created_during_the_deletion_of_the_account_does_not_remain() throws Exception {
        replay(Race.pair(Operation.DELETE_ACCOUNT, Operation.CREATE_TODO, true), "00000000000111");
    }

    /** The connection is lost before the token is checked again. The todo was left to the new owner of the username. */
    @Test
    void a_todo_whose_token_cannot_be_checked_again_does_not_remain() throws Exception {
        replay(Race.pair(Operation.REGISTER, Operation.CREATE_TODO, false), "000100000011n");
    }

    /** The connection is lost before the todo of a revoked token is removed. */
    @Test
    void a_todo_that_cannot_be_removed_at_first_does_not_remain() throws Exception {
        replay(Race.pair(Operation.REGISTER, Operation.CREATE_TODO, false), "0001000000111n");
    }

    /** The connection is lost before the deletion deletes the todos again. The repetition did so if the record was there. */
    @Test
    void a_deletion_that_cannot_delete_a_new_todo_at_first_deletes_it_later() throws Exception {
        replay(Race.pair(Operation.DELETE_ACCOUNT, Operation.CREATE_TODO, true), "000000000001110000n00");
    }

    /** The caller's token is gone, but the caller does not know, and can no longer repeat the deletion. */
    @Test
    void a_deletion_whose_last_reply_is_lost_deletes_a_new_todo() throws Exception {
        replay(Race.pair(Operation.DELETE_ACCOUNT, Operation.CREATE_TODO, true), "000000000001110l");
    }

    /** The connection is lost before the caller's old token is revoked, which is the last step. */
    @Test
    void a_password_change_that_fails_leaves_no_token_that_no_client_knows() throws Exception {
        replay(Race.pair(Operation.VERIFY, Operation.CHANGE_PASSWORD, true), "0111111111111n");
    }

    /** For the second refresh, whose token had been rotated, the index had one session more while the login counted. */
    @Test
    void a_refresh_that_fails_makes_no_login_end_a_session() throws Exception {
        Race pair = Race.pair(Operation.REFRESH, Operation.REFRESH, true);
        replay(pair.with(Operation.LOGIN_THAT_UPGRADES_THE_HASH), "00201000210112122112112");
    }

    /** The login deleted the token of the refresh that failed, but not that of the other one, which it had not seen. */
    @Test
    void a_session_that_is_refreshed_twice_does_not_escape_the_session_limit() throws Exception {
        Race race = Race.pair(Operation.REFRESH, Operation.REFRESH, true).with(Operation.LOGIN);
        replay(racesWithEviction, race, "110201210122000022221111");
    }

    /** The login has stored its token, and would find no user. */
    @Test
    void a_login_in_flight_ends_if_the_username_is_deleted_and_registered_again() throws Exception {
        Race race =
                Race.pair(Operation.REGISTER, Operation.DELETE_ACCOUNT, false).with(Operation.LOGIN);
        replay(race, "222" + "1".repeat(16) + "0".repeat(9));
    }

    @Test
    void a_todo_in_flight_is_removed_if_the_username_is_deleted_and_registered_again() throws Exception {
        Race race =
                Race.pair(Operation.DELETE_ACCOUNT, Operation.CREATE_TODO, true).with(Operation.REGISTER);
        replay(race, "1" + "0".repeat(16) + "2".repeat(9));
    }

    /** The login would have ended the new session, and then found that its password is no longer valid. */
    @Test
    void a_login_with_the_old_password_ends_no_session_of_the_new_one() throws Exception {
        replay(
                racesWithEviction,
                Race.pair(Operation.LOGIN, Operation.CHANGE_PASSWORD, false),
                "1100111111111000011000");
    }

    /** The record of the disabled user was the reservation too, except for its TTL. */
    @Test
    void a_disabled_user_is_not_enabled_during_the_deletion() throws Exception {
        Race race = Race.pair(Operation.SET_PASSWORD, Operation.DISABLE, false).with(Operation.DELETE);
        Run run = replay(racesWithEviction, race, "11112100112220202");
        assertTrue(run.toString().startsWith("[503, 200, 200], valid []"), run.toString());
    }

    /** Both have reserved the username before one goes on. */
    @Test
    void two_deletions_do_not_stop_each_other() throws Exception {
        Run run = replay(races, Race.pair(Operation.DELETE, Operation.DELETE, false), "0011" + "01".repeat(8));
        assertTrue(run.toString().startsWith("[200, 200], valid []"), run.toString());
    }

    /** The login took the session for expired, and did not notice that its token was replaced meanwhile. */
    @Test
    void a_session_that_is_refreshed_when_it_would_expire_does_not_exceed_the_limit() throws Exception {
        Race race = Race.pair(Operation.REFRESH, Operation.LOGIN, true);
        Before before = racesWithEviction.prepare(race).atExpiry();
        racesWithEviction.check(racesWithEviction.run(race, before, Scheduler.replay("0000111000")));
    }

    /** An entry that could not be removed counts for the limit. security.md says so. */
    @Test
    void after_a_fault_a_token_of_an_operator_may_end_the_session_of_a_new_password() throws Exception {
        Race race = Race.pair(Operation.CHANGE_PASSWORD, Operation.ISSUE_TOKEN, true);
        Run run = replay(racesWithEviction, race, "001000000000001111l11111111");
        assertTrue(run.toString().startsWith("[200, 200], valid [new token 1], "), run.toString());
    }

    private static void replay(Race race, String order) throws Exception {
        var _ = replay(races, race, order);
    }

    private static Run replay(Races explorer, Race race, String order) throws Exception {
        Run run = explorer.run(race, explorer.prepare(race), Scheduler.replay(order));
        explorer.check(run);
        return run;
    }
}
