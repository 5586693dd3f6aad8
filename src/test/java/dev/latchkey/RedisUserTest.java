package dev.latchkey;

import static dev.latchkey.testing.TestClient.expect;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.latchkey.accounts.AccountAdministration;
import dev.latchkey.accounts.Username;
import dev.latchkey.redis.RedisUnavailableException;
import dev.latchkey.testing.Documents;
import dev.latchkey.testing.EmbeddedRedis;
import dev.latchkey.testing.RedisAdmin;
import dev.latchkey.testing.RedisCluster;
import dev.latchkey.testing.RedisSentinels;
import dev.latchkey.testing.TestApp;
import dev.latchkey.testing.TrainingRun;
import io.lettuce.core.cluster.SlotHash;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The lines of operations.md that create the Redis user are sufficient, and grant nothing that the service never uses. */
class RedisUserTest {
    private static String user = "";
    private static String forCluster = "";
    private static String forWarnings = "";
    private static String forList = "";

    @BeforeAll
    static void readDocument() throws IOException {
        List<String> lines = Documents.blocks("operations.md", "Redis user", 4);
        user = lines.get(0);
        forCluster = lines.get(1);
        forWarnings = lines.get(2);
        forList = lines.get(3);
    }

    /** Sends a line to Redis as it is written in the document. */
    private static void send(EmbeddedRedis redis, String line) {
        assertEquals("+OK\r\n", redis.send(line), line);
    }

    private static String asUser(String url) {
        return url.replace("://", "://latchkey:PASSWORD@");
    }

    /** Returns the permissions for commands in a line. */
    private static Set<String> granted(String line) {
        return commands("\\+(\\S+)", line);
    }

    /** Returns the commands that Redis has executed since it was started, including those in scripts. */
    private static Set<String> executed(EmbeddedRedis redis) {
        return commands("cmdstat_(\\S+):calls=[1-9]", redis.send("INFO commandstats"));
    }

    private static void assertDeniedCommandsAreDocumented(EmbeddedRedis redis) throws IOException {
        String document = Files.readString(Path.of("src/site/markdown/operations.md"));
        try (var admin = new RedisAdmin(redis.url(), false)) {
            for (var entry : admin.commands().aclLog()) {
                String command = String.valueOf(entry.get("object")).replace('|', ' ');
                assertTrue(document.contains("`" + command.toUpperCase(Locale.ROOT) + "`"), entry::toString);
            }
        }
    }

    private static Set<String> commands(String pattern, String text) {
        return Pattern.compile(pattern)
                .matcher(text)
                .results()
                .map(match -> match.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void the_user_has_exactly_the_permissions_that_the_service_uses() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            send(redis, user);
            try (var app = TestApp.startOn(asUser(redis.url()), "LOGIN_THROTTLE", "true")) {
                TrainingRun.account(app);
                for (int i = 0; i < 10; i++) {
                    expect(401, app.login("bob", "a wrong password"));
                }
                expect(429, app.login("bob", "a wrong password"));
            }
            Set<String> executed = executed(redis);
            executed.removeAll(Set.of("hello", "acl|setuser", "info")); // HELLO needs no permission
            assertEquals(granted(user), executed);
            assertDeniedCommandsAreDocumented(redis);
        }
    }

    @Test
    void with_a_further_permission_the_service_reads_the_configuration_of_redis() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            send(redis, user);
            send(redis, forWarnings);
            try (var app = TestApp.startOn(asUser(redis.url()))) {
                app.newToken();
            }
            assertTrue(executed(redis).containsAll(granted(forWarnings)));
        }
    }

    @Test
    void the_commands_of_an_operator_need_one_further_permission_and_only_to_list_users() throws Exception {
        try (var redis = EmbeddedRedis.start()) {
            send(redis, user);
            try (var core = Core.open(TestApp.config(asUser(redis.url())))) {
                var operator = new AccountAdministration(core.accounts());
                operator.setPassword(new Username("alice"), TestApp.PASSWORD);
                operator.disable("alice");
                var refused = assertThrows(RedisUnavailableException.class, () -> operator.forEachUser(_ -> {}));
                assertEquals("the user of Redis lacks a permission: see ACL LOG", refused.explanation());
                send(redis, forList);
                operator.forEachUser(user -> assertEquals("alice", user.username()));
                operator.delete("alice");
            }
            assertTrue(executed(redis).containsAll(granted(forList)));
        }
    }

    @Test
    void a_saved_user_survives_a_restart_of_redis(@TempDir Path folder) throws Exception {
        Path aclFile = Files.createFile(folder.resolve("users.acl"));
        try (var redis = EmbeddedRedis.start();
                var withAclFile = EmbeddedRedis.start(Map.of("aclfile", aclFile.toString()))) {
            send(redis, user);
            send(redis, "CONFIG REWRITE");
            send(withAclFile, user);
            send(withAclFile, "ACL SAVE");
            for (EmbeddedRedis restarted : List.of(redis, withAclFile)) {
                restarted.restart();
                send(restarted, "AUTH latchkey PASSWORD");
            }
        }
    }

    @Test
    void the_user_suffices_for_a_master_that_sentinels_monitor() throws Exception {
        try (var redis = RedisSentinels.start()) {
            for (EmbeddedRedis node : redis.nodes()) {
                send(node, user);
            }
            try (var app = TestApp.startOn(asUser(redis.url()))) {
                TrainingRun.account(app);
            }
        }
    }

    @Test
    void in_a_cluster_the_user_needs_exactly_the_further_permissions_also_while_slots_move() throws Exception {
        try (var cluster = RedisCluster.start(2, 0)) {
            for (EmbeddedRedis node : cluster.nodes()) {
                send(node, user);
                send(node, forCluster);
                send(node, "CONFIG RESETSTAT");
            }
            try (var app = TestApp.startOn(asUser(cluster.url()))) {
                TrainingRun.account(app);
                move("users:moving", cluster.nodes());
                expect(201, app.register("moving"));
            }
            Set<String> executed = new TreeSet<>();
            for (EmbeddedRedis node : cluster.nodes()) {
                executed.addAll(executed(node));
                assertDeniedCommandsAreDocumented(node);
            }
            assertTrue(executed.containsAll(granted(forCluster)), executed::toString);
        }
    }

    /** Starts to move the slot of a key to the other node, which then requires ASKING before each command. */
    private static void move(String key, List<EmbeddedRedis> nodes) {
        int slot = SlotHash.getSlot(key);
        EmbeddedRedis from = nodes.get(slot < SlotHash.SLOT_COUNT / 2 ? 0 : 1);
        EmbeddedRedis to = nodes.get(slot < SlotHash.SLOT_COUNT / 2 ? 1 : 0);
        send(to, "CLUSTER SETSLOT " + slot + " IMPORTING " + RedisCluster.id(from));
        send(from, "CLUSTER SETSLOT " + slot + " MIGRATING " + RedisCluster.id(to));
    }
}
