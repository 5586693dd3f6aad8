FROM maven:3-eclipse-temurin-25 AS build
WORKDIR /build

# Building a placeholder source makes Maven download everything that a build uses. That includes the compiler's plugins,
# which dependency:go-offline does not download. A change of the source alone then downloads nothing.
COPY .mvn .mvn
COPY pom.xml .
RUN mkdir -p src/main/java/warm \
 && echo 'package warm; interface Warm {}' >src/main/java/warm/Warm.java \
 && mvn -B -ntp -P '!format' package -DskipTests \
 && rm -rf src target

# scripts/test runs the tests and the format check, so this build leaves them out.
COPY src/main src/main
RUN mvn -B -ntp -P '!format' package -DskipTests

# The runtime has the modules that Latchkey uses and the modules that its libraries require: java.naming and
# jdk.unsupported for Netty, jdk.net for keep-alive, and java.xml for Jackson. It leaves out modules that the libraries
# use only if they are present (java.desktop, java.sql, jdk.jfr). The modules are not compressed, because jlink's
# compression makes the download larger and the start slower.
RUN jlink --output /jre --no-header-files --no-man-pages --strip-java-debug-attributes --add-modules \
    "$(jdeps --no-recursive --ignore-missing-deps --print-module-deps target/latchkey/latchkey.jar),java.naming,java.xml,jdk.net,jdk.unsupported"

# An archive of the libraries' classes halves the startup time. The archive is only valid for the paths and modification
# times of the jars, so the files are at the same paths as in the final image. All files get the same modification time,
# so that a layer with the same content stays the same. TrainingRun needs only the test classes that .dockerignore
# lists.
COPY scripts/archive archive
COPY src/test/java/dev/latchkey/testing training
RUN javac -d trained -cp "$(cat target/test.classpath)" training/*.java && cp -r target/latchkey /app \
 && find /app /jre -exec touch -h -d 2026-01-01T00:00:00Z {} + \
 && ./archive /jre /app "trained:$(cat target/test.classpath)" \
 && find /app -exec touch -d 2026-01-01T00:00:00Z {} +

# The runtime only needs glibc, because Temurin links zlib and libstdc++ statically, and TLS is part of java.base.
FROM gcr.io/distroless/base-nossl-debian13:nonroot
# The JVM decodes the environment with LANG. SHUTDOWN_LAME_DUCK_SECONDS gives orchestrators time to route requests
# elsewhere.
ENV LANG=C.UTF-8 SHUTDOWN_LAME_DUCK_SECONDS=3
COPY --from=build /jre /jre
WORKDIR /app
# The layers that change least often come first.
COPY --from=build /app/lib lib
COPY --from=build /app/lib.jsa .
# The SBOM is here for scanners of images.
COPY --from=build /app/latchkey.jar /app/latchkey.cdx.json ./
# With an invalid archive, the service only starts more slowly. -Xshare:on makes the build fail instead.
RUN ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:SharedArchiveFile=/app/lib.jsa", "-Xshare:on", "@/app/lib/classpath", "-version"]
# The user is a number, because Kubernetes cannot verify that a user name is not root.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 \
    CMD ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:+UnlockDiagnosticVMOptions", "-XX:ArchiveRelocationMode=0", "-XX:SharedArchiveFile=/app/lib.jsa", "@/app/lib/classpath", "dev.latchkey.Main", "--health"]
# TrimNativeHeapInterval returns the memory that the JVM's compiler threads have freed to the system every 10 s. Under
# load, that is about 12 MB.
# ArchiveRelocationMode=0 maps the archive of classes where it was made. Its pages then stay as they are in the file, so
# that all instances on a host share them: some 20 MB of each. It gives up the random address of the archive, which has
# the layout of classes but no machine code.
# The JVM's own warnings go to standard error: each line on standard output must have the format of the log, or be the
# result of a command.
# MaxRAM makes the heap 64 MiB, half of 128 MiB. Unlike -Xmx64m, it gives way to an -Xmx in JAVA_TOOL_OPTIONS. The heap has
# its full size from the start and keeps it. A smaller heap has too small a young generation, so it fills up with
# short-lived objects. SurvivorRatio makes room for what the requests in flight hold: with 256 connections and the default
# of 8, some of it moved to the old generation at each collection.
ENTRYPOINT ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:SurvivorRatio=4", "-Xlog:all=off", "-Xlog:all=warning:stderr", "-XX:-UsePerfData", "-XX:MaxRAM=128m", "-XX:InitialRAMPercentage=50", "-XX:MaxHeapFreeRatio=100", "-XX:TrimNativeHeapInterval=10000", "-XX:+ExitOnOutOfMemoryError", "-XX:+UnlockDiagnosticVMOptions", "-XX:ArchiveRelocationMode=0", "-XX:SharedArchiveFile=/app/lib.jsa", "@/app/lib/classpath", "dev.latchkey.Main"]
# ReleaseTest compares the version with pom.xml. A creation date would differ between two builds.
LABEL org.opencontainers.image.title="Latchkey" \
      org.opencontainers.image.description="A small auth-token service for production" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.base.name="gcr.io/distroless/base-nossl-debian13:nonroot"
