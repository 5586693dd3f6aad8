package dev.latchkey.testing;

import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Base class of tests whose rules hold for every value of TOKEN_STORAGE and every way to run Redis. Each test runs once
 * with every combination that is listed.
 */
@ParameterizedClass(name = "TOKEN_STORAGE={0} Redis={1}")
@CsvSource({"plain, one", "hashed, one"})
public abstract class StorageMatrix {
    public static TestApp app;

    @Parameter(0)
    public String storage = "";

    @Parameter(1)
    public String redis = "";

    @BeforeParameterizedClassInvocation
    public static void start(String storage, String redis) throws Exception {
        app = TestApp.startOn(Topology.of(redis), "TOKEN_STORAGE", storage, "TOKEN_TTL", "1800");
    }

    @AfterParameterizedClassInvocation
    public static void stop() {
        app.close();
    }
}
