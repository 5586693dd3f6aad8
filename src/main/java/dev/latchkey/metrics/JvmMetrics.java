package dev.latchkey.metrics;

import com.sun.management.UnixOperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** The metrics of the JVM and the process, with the names that Micrometer and Prometheus' own libraries use. */
public final class JvmMetrics {
    private static final Path STATUS = Path.of("/proc/self/status");

    private JvmMetrics() {}

    /** Adds the metrics to a registry. Loading the JDK's management beans takes some milliseconds. */
    public static void register(Registry registry) {
        ManagementFactory.getMemoryPoolMXBeans().forEach(pool -> memory(registry, pool));
        ManagementFactory.getGarbageCollectorMXBeans().stream()
                // These are mostly concurrent, and such a collector has a separate bean for its pauses.
                .filter(collector -> !collector.getName().endsWith(" Cycles"))
                .forEach(collector -> pauses(registry, collector));
        var threads = ManagementFactory.getThreadMXBean();
        registry.gauge("jvm_threads_live_threads", "Platform threads.", threads::getThreadCount);
        process(registry);
        if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system) {
            cpuAndFiles(registry, system);
        }
        if (Files.exists(STATUS)) {
            String help = "Memory of the process that is in RAM.";
            registry.gauge("process_resident_memory_bytes", help, JvmMetrics::residentBytes);
        }
    }

    private static void memory(Registry registry, MemoryPoolMXBean pool) {
        String[] labels = {"area", pool.getType() == MemoryType.HEAP ? "heap" : "nonheap", "id", pool.getName()};
        String used = "Used memory of a memory pool.";
        registry.gauge("jvm_memory_used_bytes", used, () -> pool.getUsage().getUsed(), labels);
        String committed = "Memory of a memory pool that the JVM has reserved from the system.";
        registry.gauge(
                "jvm_memory_committed_bytes", committed, () -> pool.getUsage().getCommitted(), labels);
        String max = "Maximum memory of a memory pool, or -1 if it has no maximum.";
        registry.gauge("jvm_memory_max_bytes", max, () -> pool.getUsage().getMax(), labels);
    }

    private static void pauses(Registry registry, GarbageCollectorMXBean collector) {
        registry.summary(
                "jvm_gc_pause_seconds",
                "Pauses of the JVM by garbage collection.",
                collector::getCollectionCount,
                () -> collector.getCollectionTime() / 1e3,
                "gc",
                collector.getName());
    }

    private static void process(Registry registry) {
        var runtime = ManagementFactory.getRuntimeMXBean();
        registry.gauge("process_uptime_seconds", "Time since the start.", () -> runtime.getUptime() / 1e3);
        double start = runtime.getStartTime() / 1e3;
        registry.gauge("process_start_time_seconds", "Unix time of the start.", () -> start);
    }

    private static void cpuAndFiles(Registry registry, UnixOperatingSystemMXBean system) {
        String seconds = "CPU time of the process.";
        double perSecond = TimeUnit.SECONDS.toNanos(1);
        registry.counter("process_cpu_seconds_total", seconds, () -> system.getProcessCpuTime() / perSecond);
        String usage = "Share of all CPU cores that the process has used recently.";
        registry.gauge("process_cpu_usage", usage, system::getProcessCpuLoad);
        registry.gauge("process_files_open_files", "Open files and sockets.", system::getOpenFileDescriptorCount);
        registry.gauge(
                "process_files_max_files", "Limit of open files and sockets.", system::getMaxFileDescriptorCount);
    }

    private static double residentBytes() {
        try {
            return Files.readAllLines(STATUS).stream()
                            .filter(line -> line.startsWith("VmRSS:"))
                            .mapToLong(line -> Long.parseLong(line.split("\\s+", -1)[1]))
                            .sum()
                    * 1024.0; // the unit is KiB
        } catch (IOException _) {
            return Double.NaN;
        }
    }
}
