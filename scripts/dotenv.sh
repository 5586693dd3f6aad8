# The other scripts source this file. It changes to the project's folder, and exports the variables in .env.

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit 1

# Gives each variable the value that Docker Compose gives it: the environment takes precedence, and the last line for a
# variable wins. Exits with 2 at a malformed line, and at a line that only Docker Compose can read, for example with
# ${VARIABLE} or an escape sequence. Lower-case names belong to other programs, and are not exported.
read_dotenv() {
  local LC_ALL=C # The ranges below are ranges of bytes.
  local line number=0 name value exported=' ' blank='[[:space:]]*'
  local quoted="'([^'\\]*)'|\"([^\"\\\$]*)\""
  local plain='[!#%&(-~]( *[!"%-~]|#)*' # printable ASCII without $ and " #"; a quote may not come first
  local assignment="^$blank(export[[:space:]]+)?([A-Za-z0-9_.-]+)$blank[=:]$blank"
  assignment+="(|($quoted)$blank(#.*)?|($plain)$blank( #.*)?)$"
  while IFS= read -r line || [ -n "$line" ]; do
    ((++number > 1)) || line=${line#$'\xEF\xBB\xBF'} # a byte order mark
    [[ ! $line =~ ^$blank(#|$) ]] || continue
    if [[ ! $line =~ $assignment ]]; then
      echo "latchkey: .env line $number: expected NAME=value on one line. Put a value with \$, quotes or non-ASCII" \
        "characters in single quotes. .env.example describes the format." >&2
      exit 2
    fi
    name=${BASH_REMATCH[2]}
    value=${BASH_REMATCH[5]}${BASH_REMATCH[6]}${BASH_REMATCH[8]} # in ', in " or plain
    if [[ $name =~ ^[A-Z][A-Z0-9_]*$ && ($exported == *" $name "* || -z ${!name+set}) ]]; then
      export "$name=$value"
      exported+="$name "
    fi
  done
}
if [ -e .env ]; then read_dotenv <.env; fi
