package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Chaos;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The short form of {@code scripts/chaos}. */
class ChaosTest {
    private static final int SECONDS = 3; // more than a connection may say nothing
    private static final int RECOVERY_MILLIS = 5000; // promised is a second; more of it may be the machine's

    @ParameterizedTest
    @EnumSource
    void an_outage_is_a_fast_503_that_ends_and_what_was_acknowledged_stays(Chaos.Fault fault) throws Exception {
        Chaos.Result result = Chaos.run(fault, SECONDS);
        assertEquals(List.of(), result.faults());
        assertEquals(fault != Chaos.Fault.SCRIPT_FLUSH, result.refused() > 0, "how many were refused");
        assertTrue(result.longestMillis() <= Chaos.TIMEOUT_MILLIS + 1000, result::toString);
        assertTrue(result.recoveryMillis() <= RECOVERY_MILLIS, result::toString);
    }
}
