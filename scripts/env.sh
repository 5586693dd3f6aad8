# The other scripts source this file. It does what dotenv.sh does, and sets JAVA_HOME to a JDK 25.

source "$(dirname "${BASH_SOURCE[0]}")/dotenv.sh"

jdk_25() {
  local home java
  java=$(command -v java) && java=$(readlink -f "$java" 2>/dev/null || true)
  for home in "${JAVA25_HOME:-}" "${JAVA_HOME:-}" "${java%/bin/java}" \
    /usr/lib/jvm/* /usr/java/* /opt/java/* /opt/jdk* ~/.sdkman/candidates/java/* ~/.jdks/* ~/.jenv/versions/* \
    ~/.asdf/installs/java/* ~/.local/share/mise/installs/java/* /Library/Java/JavaVirtualMachines/*/Contents/Home \
    ~/Library/Java/JavaVirtualMachines/*/Contents/Home /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home; do
    if [ -x "$home/bin/javac" ] && grep -qs '^JAVA_VERSION="25' "$home/release"; then
      echo "$home"
      return
    fi
  done
  echo "latchkey: no JDK 25 found. Install JDK 25 (https://adoptium.net or your system's package), or set JAVA25_HOME." >&2
  return 1
}

JAVA_HOME=$(jdk_25) || exit 1
export JAVA_HOME
if ! command -v mvn >/dev/null; then
  echo "latchkey: no Maven found. Install version 3.8 or newer (https://maven.apache.org or your system's package)." >&2
  exit 1
fi
# Maven's own libraries call methods that JDK 25 warns about. A user of this project cannot fix these warnings, so they
# are turned off. Jansi, Maven's console library, writes a colour reset (ESC [0m) to both output streams when Maven
# starts and ends, even if colours are off. jansi.noreset stops that.
MAVEN_OPTS="${MAVEN_OPTS:-} --sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED -Djansi.noreset=true"
export MAVEN_OPTS

# Builds the jar, lib/ and the test classes if anything has changed since the last build. Arguments go to Maven. The
# SBOM is left out, because it takes as long as the rest of a small build.
build() {
  if [ ! -e target/built ] || [ -n "$(find pom.xml .mvn src -newer target/built -print -quit)" ]; then
    echo "latchkey: building with Maven, for about 20 s (longer if Maven has to download libraries)" >&2
    mvn -q -B package -DskipTests -Dcyclonedx.skip "$@" && touch target/built
  fi
}
