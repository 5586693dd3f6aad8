package dev.latchkey.logging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.latchkey.testing.Load;
import java.io.FileDescriptor;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The queue of lines, without the thread that writes them. */
class LogsTest {
    private static final int MAX_REQUESTS = 4096;
    private static final int OTHERS = 1024;

    private final Logger access = Logger.getLogger("latchkey.access");
    private final Logs logs = new Logs(FileDescriptor.out);

    @BeforeEach
    void enableAccessLog() {
        access.setLevel(Level.INFO);
    }

    @AfterEach
    void disableAccessLog() {
        access.setLevel(null);
    }

    private void publish(String logger) {
        var entry = new LogRecord(Level.WARNING, "message");
        entry.setLoggerName(logger);
        logs.publish(entry);
    }

    private void addRequest() {
        logs.request(false, "GET", "/api/auth/me", 200, 1, "192.0.2.1", "id");
    }

    private void fill() {
        for (int i = 0; i < MAX_REQUESTS; i++) {
            addRequest();
        }
        for (int i = 0; i < OTHERS; i++) {
            publish(i % 2 == 0 ? "latchkey.redis" : "latchkey.audit");
        }
    }

    @Test
    void requests_leave_room_for_other_lines() {
        fill();
        assertEquals(0, logs.dropped());
        addRequest();
        assertEquals(1, logs.dropped());
    }

    @Test
    void if_the_queue_is_full_only_a_line_of_the_audit_log_waits() throws Exception {
        fill();
        for (String logger : new String[] {"io.lettuce.core", "latchkey.redis", "latchkey.main"}) {
            publish(logger);
        }
        assertEquals(3, logs.dropped());
        Thread request = Thread.ofVirtual().start(() -> publish("latchkey.audit"));
        Load.await(() -> request.getState() == Thread.State.WAITING);
        request.interrupt();
        request.join();
    }
}
