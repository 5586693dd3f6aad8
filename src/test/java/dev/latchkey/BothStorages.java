package dev.latchkey;

import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests that hold whatever TOKEN_STORAGE says, and however Redis is run: all run with each that is listed. */
@ParameterizedClass(name = "TOKEN_STORAGE={0} Redis={1}")
@CsvSource({"plain, one", "hashed, one"})
abstract class BothStorages {
    static Fixture app;

    @Parameter(0)
    String storage = "";

    @Parameter(1)
    String redis = "";

    @BeforeParameterizedClassInvocation
    static void start(String storage, String redis) throws Exception {
        app = Fixture.startOn(Topology.of(redis), "TOKEN_STORAGE", storage, "TOKEN_TTL", "1800");
    }

    @AfterParameterizedClassInvocation
    static void stop() {
        app.close();
    }
}
