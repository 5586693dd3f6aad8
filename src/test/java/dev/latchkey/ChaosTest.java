package dev.latchkey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.testing.Chaos;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The short form of {@code scripts/chaos}. Only a failover may lose acknowledged changes. */
class ChaosTest {
    // This is longer than the time after which a silent connection is closed.
    private static final int SECONDS = 3;
    // The service promises to recover within one second. The rest allows for a slow machine.
    private static final int RECOVERY_MILLIS = 5000;

    @ParameterizedTest
    @EnumSource
    void redis_faults_cause_only_fast_and_temporary_503_responses_and_violate_no_guarantee(Chaos.Fault fault)
            throws Exception {
        Chaos.Result result = Chaos.run(fault, SECONDS);
        assertEquals(List.of(), result.faults());
        assertEquals(fault != Chaos.Fault.SCRIPT_FLUSH, result.refused() > 0, "Refused requests: " + result.refused());
        assertTrue(result.longestMillis() <= Chaos.TIMEOUT_MILLIS + 1000, result::toString);
        assertTrue(result.recoveryMillis() <= RECOVERY_MILLIS, result::toString);
    }
}
