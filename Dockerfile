FROM maven:3-eclipse-temurin-25 AS build
WORKDIR /build

# A stand-in for the source has Maven fetch all that a build uses, the compiler's plugins too (dependency:go-offline
# forgets those): a change of the source alone downloads nothing.
COPY .mvn .mvn
COPY pom.xml .
RUN mkdir -p src/main/java/warm \
 && echo 'package warm; interface Warm {}' >src/main/java/warm/Warm.java \
 && mvn -B -ntp -P '!format' package -DskipTests \
 && rm -rf src target

# without the tests and the format check, which scripts/test runs
COPY src/main src/main
RUN mvn -B -ntp -P '!format' package -DskipTests

# The modules that our own code names, and those that the libraries' module descriptors require: java.naming and
# jdk.unsupported for netty, jdk.net for keep-alive, java.xml for Jackson. What they use only where it is there
# (java.desktop, java.sql, jdk.jfr) stays out. Not compressed: that makes the download larger and the start slower.
RUN jlink --output /jre --no-header-files --no-man-pages --strip-java-debug-attributes --add-modules \
    "$(jdeps --no-recursive --ignore-missing-deps --print-module-deps target/latchkey/latchkey.jar),java.naming,java.xml,jdk.net,jdk.unsupported"

# An archive of the libraries' classes halves the time to start. It holds for paths and times of change: so all is where the
# final image has it, and of one time, for a layer to stay the same where its content does.
COPY scripts/archive archive
COPY src/test/java/dev/latchkey/testing training
RUN javac -d trained -cp "$(cat target/test.classpath)" training/*.java && cp -r target/latchkey /app \
 && find /app /jre -exec touch -h -d 2026-01-01T00:00:00Z {} + \
 && ./archive /jre /app "trained:$(cat target/test.classpath)" \
 && find /app -exec touch -d 2026-01-01T00:00:00Z {} +

# The runtime needs glibc and nothing else: Temurin links zlib and libstdc++ statically, and TLS is in java.base.
FROM gcr.io/distroless/base-nossl-debian13:nonroot
# LANG: the JVM decodes the environment with it. The lame duck: orchestrators take a moment to send requests elsewhere.
ENV LANG=C.UTF-8 SHUTDOWN_LAME_DUCK_SECONDS=3
COPY --from=build /jre /jre
WORKDIR /app
# least often changed first
COPY --from=build /app/lib lib
COPY --from=build /app/lib.jsa .
COPY --from=build /app/latchkey.jar .
# an archive that does not fit only makes the start slower: here it fails the build
RUN ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:SharedArchiveFile=/app/lib.jsa", "-Xshare:on", "@/app/lib/classpath", "-version"]
# by number: Kubernetes cannot tell that a name is not root's
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 \
    CMD ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:SharedArchiveFile=/app/lib.jsa", "@/app/lib/classpath", "dev.latchkey.Main", "--health"]
# Trim: every 10 s, what the compiler's threads have freed goes back to the system, some 12 MB under load.
ENTRYPOINT ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TrimNativeHeapInterval=10000", "-XX:+ExitOnOutOfMemoryError", "-XX:SharedArchiveFile=/app/lib.jsa", "@/app/lib/classpath"]
# The heap has its size at once: one that grows has too small a young generation, and fills up with what died young.
CMD ["-Xms64m", "-Xmx64m", "dev.latchkey.Main"]
