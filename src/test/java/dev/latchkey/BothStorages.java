package dev.latchkey;

import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests that hold whatever TOKEN_STORAGE says: all run with each. */
@ParameterizedClass(name = "TOKEN_STORAGE={0}")
@ValueSource(strings = {"plain", "hashed"})
abstract class BothStorages {
    static Fixture app;

    @Parameter
    String storage = "";

    @BeforeParameterizedClassInvocation
    static void start(String storage) throws Exception {
        app = Fixture.start("TOKEN_STORAGE", storage, "TOKEN_TTL", "1800");
    }

    @AfterParameterizedClassInvocation
    static void stop() {
        app.close();
    }
}
