package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Explorer;
import dev.latchkey.testing.Races;
import dev.latchkey.testing.Races.Operation;
import dev.latchkey.testing.Races.Pair;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** All orders of the Redis commands of two requests. {@code scripts/races} runs what takes longer. */
class ExplorerTest {
    private static final int MAX_RUNS = 8;

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
        List<String> violations = new ArrayList<>();
        for (Pair pair : Pair.all()) {
            boolean evicts = pair.first() == Operation.LOGIN || pair.second() == Operation.LOGIN;
            (evicts ? racesWithEviction : races)
                    .explore(pair, true, MAX_RUNS)
                    .violations()
                    .forEach(order -> violations.add(pair + ", order " + order));
        }
        assertEquals(List.of(), violations);
    }

    @ParameterizedTest
    @CsvSource({
        "VERIFY, REFRESH, true",
        "REFRESH, LOGOUT, true",
        "LOGOUT, CREATE_TODO, true",
        "PATCH_TODO, PATCH_TODO, false",
        "CREATE_TODO, DELETE_TODO, false",
        "REGISTER, LOGIN, false"
    })
    void the_reduction_misses_no_outcome(Operation first, Operation second, boolean sameToken) throws Exception {
        var pair = new Pair(first, second, sameToken);
        var all = races.explore(pair, false, Integer.MAX_VALUE);
        var reduced = races.explore(pair, true, Integer.MAX_VALUE);
        assertEquals(all.outcomes(), reduced.outcomes());
        assertTrue(reduced.runs() < all.runs(), reduced + " " + all);
    }

    /** After its own check of the token, and before it revoked the token, the logout did not see the refresh. */
    @Test
    void a_logout_that_is_overtaken_by_a_refresh_ends_the_session() throws Exception {
        replay(new Pair(Operation.REFRESH, Operation.LOGOUT, true), "1100000");
    }

    /** The token of the deletion is valid until the end. A todo that was created with it remained without an owner. */
    @Test
    void a_todo_that_is_created_during_the_deletion_of_the_account_does_not_remain() throws Exception {
        replay(new Pair(Operation.DELETE_ACCOUNT, Operation.CREATE_TODO, true), "00000000000111");
    }

    private static void replay(Pair pair, String order) throws Exception {
        races.prepare(pair);
        races.run(pair, Explorer.replay(order)).run();
    }
}
