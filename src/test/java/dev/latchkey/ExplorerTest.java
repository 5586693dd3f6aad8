package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Explorer;
import dev.latchkey.testing.Races;
import dev.latchkey.testing.Races.Call;
import dev.latchkey.testing.Races.Operation;
import dev.latchkey.testing.Races.Race;
import dev.latchkey.testing.Races.Result;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** All orders of the Redis commands of two requests. {@code scripts/races} runs what takes longer. */
class ExplorerTest {
    private static final int MAX_RUNS = 5;
    private static final int RUNS_WITH_FAULT = 2;

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
        List<Callable<List<String>>> halves = List.of(
                () -> violations(races, race -> !race.toString().contains("LOGIN")),
                () -> violations(racesWithEviction, race -> race.toString().contains("LOGIN")));
        List<String> violations = new ArrayList<>();
        try (var threads = Executors.newFixedThreadPool(halves.size())) {
            for (Future<List<String>> half : threads.invokeAll(halves)) {
                violations.addAll(half.get());
            }
        }
        assertEquals(List.of(), violations);
    }

    private static List<String> violations(Races explorer, Predicate<Race> selected) throws Exception {
        List<String> violations = new ArrayList<>();
        int seed = 0;
        for (Race pair : Race.pairs().stream().filter(selected).toList()) {
            List<String> found = new ArrayList<>(
                    explorer.explore(pair, true, false, MAX_RUNS).violations());
            found.addAll(explorer.sample(pair, true, seed, RUNS_WITH_FAULT).violations());
            found.forEach(order -> violations.add(pair + ", order " + order));
            seed += RUNS_WITH_FAULT;
        }
        return violations;
    }

    @ParameterizedTest
    @CsvSource({
        "VERIFY, REFRESH, true, false",
        "REFRESH, LOGOUT, true, false",
        "LOGOUT, CREATE_TODO, true, false",
        "PATCH_TODO, PATCH_TODO, false, false",
        "CREATE_TODO, DELETE_TODO, false, false",
        "REGISTER, LOGIN, false, false",
        "VERIFY, LOGOUT, true, true",
        "DELETE_TODO, DELETE_TODO, true, true"
    })
    void the_reduction_misses_no_outcome(Operation first, Operation second, boolean sameToken, boolean withFaults)
            throws Exception {
        Race pair = Race.pair(first, second, sameToken);
        Result all = races.explore(pair, false, withFaults, Integer.MAX_VALUE);
        Result reduced = races.explore(pair, true, withFaults, Integer.MAX_VALUE);
        assertEquals(all.outcomes(), reduced.outcomes());
        assertTrue(reduced.orders() < all.orders(), reduced + " " + all);
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
    @Test
    void a_logout_that_is_overtaken_by_a_refresh_ends_the_session() throws Exception {
        replay(Race.pair(Operation.REFRESH, Operation.LOGOUT, true), "1100000");
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
        replay(pair.with(new Call(Operation.LOGIN_THAT_UPGRADES_THE_HASH, 1)), "00201000210112122112112");
    }

    /** The login deleted the token of the refresh that failed, but not that of the other one, which it had not seen. */
    @Test
    void a_session_that_is_refreshed_twice_does_not_escape_the_session_limit() throws Exception {
        Race race = Race.pair(Operation.REFRESH, Operation.REFRESH, true).with(new Call(Operation.LOGIN, 1));
        replay(racesWithEviction, race, "11020121012000022221111");
    }

    private static void replay(Race race, String order) throws Exception {
        replay(races, race, order);
    }

    private static void replay(Races explorer, Race race, String order) throws Exception {
        var run = explorer.run(race, explorer.prepare(race), Explorer.replay(order));
        explorer.check(run, new HashMap<>());
    }
}
