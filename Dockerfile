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
# jdk.unsupported for netty, jdk.net for keep-alive, java.xml for Jackson. What they use only where it is there (java.desktop, java.sql, jdk.jfr)
# stays out. Not compressed: that makes the download larger and the start slower.
RUN jlink --output /jre --no-header-files --no-man-pages --strip-java-debug-attributes --add-modules \
    "$(jdeps --no-recursive --ignore-missing-deps --print-module-deps target/latchkey/latchkey.jar),java.naming,java.xml,jdk.net,jdk.unsupported"

# The runtime needs glibc and nothing else: Temurin links zlib and libstdc++ statically, and TLS is in java.base.
FROM gcr.io/distroless/base-nossl-debian13:nonroot
# LANG: the JVM decodes the environment with it. The lame duck: orchestrators take a moment to send requests elsewhere.
ENV LANG=C.UTF-8 SHUTDOWN_LAME_DUCK_SECONDS=3
COPY --from=build /jre /jre
WORKDIR /app
# least often changed first
COPY --from=build /build/target/latchkey/lib lib
COPY --from=build /build/target/latchkey/latchkey.jar .
# by number: Kubernetes cannot tell that a name is not root's
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 \
    CMD ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-jar", "/app/latchkey.jar", "--health"]
ENTRYPOINT ["/jre/bin/java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:MaxRAMPercentage=50", "-XX:+ExitOnOutOfMemoryError", "-jar", "latchkey.jar"]
