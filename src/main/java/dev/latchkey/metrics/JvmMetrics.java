package dev.latchkey.metrics;

import com.sun.management.UnixOperatingSystemMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.concurrent.TimeUnit;

/** The metrics of the JVM and the process, with the names that Micrometer and Prometheus' own libraries use. */
public final class JvmMetrics {
    private JvmMetrics() {}

    /** Adds the metrics to a registry. Loading the JDK's management beans takes some milliseconds. */
    public static void register(Registry registry) {
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            String[] labels = {"area", pool.getType() == MemoryType.HEAP ? "heap" : "nonheap", "id", pool.getName()};
            String used = "Used memory of a memory pool.";
            registry.gauge("jvm_memory_used_bytes", used, () -> pool.getUsage().getUsed(), labels);
            String max = "Maximum memory of a memory pool, or -1 if it has no maximum.";
            registry.gauge("jvm_memory_max_bytes", max, () -> pool.getUsage().getMax(), labels);
        }
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            // Cycles are mostly concurrent, and such a collector has a separate bean for its pauses.
            if (!collector.getName().endsWith(" Cycles")) {
                registry.summary(
                        "jvm_gc_pause_seconds",
                        "Pauses of the JVM by garbage collection.",
                        collector::getCollectionCount,
                        () -> collector.getCollectionTime() / 1e3,
                        "gc",
                        collector.getName());
            }
        }
        double start = ManagementFactory.getRuntimeMXBean().getStartTime() / 1e3;
        registry.gauge("process_start_time_seconds", "Unix time of the start.", () -> start);
        if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system) {
            double perSecond = TimeUnit.SECONDS.toNanos(1);
            registry.counter(
                    "process_cpu_seconds_total",
                    "CPU time of the process.",
                    () -> system.getProcessCpuTime() / perSecond);
            registry.gauge("process_files_open_files", "Open files and sockets.", system::getOpenFileDescriptorCount);
            registry.gauge(
                    "process_files_max_files", "Limit of open files and sockets.", system::getMaxFileDescriptorCount);
        }
    }
}
