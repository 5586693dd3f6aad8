#!/bin/sh
# Logs in, uses the token, refreshes it and logs out, with curl. The password comes from standard input, because arguments are
# visible to all users of a machine. usage: curl.sh URL USERNAME <PASSWORD-FILE
set -eu
url=$1 username=$2
IFS= read -r password

# Prints the value of a text field of the response.
field() {
  sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/'
}

# Fails for every status code from 400 on, with the problem on standard error.
call() { # METHOD PATH [BODY]
  printf '%s' "${3-}" | curl --silent --show-error --fail-with-body --max-time 30 --request "$1" \
    --header "@$header" --header 'Content-Type: application/json' --data-binary @- "$url$2" || { status=$?; echo >&2; return "$status"; }
}

header=$(mktemp) # readable by its owner only, and not visible as an argument
trap 'rm -f "$header"' EXIT
escaped=$(printf '%s' "$password" | sed 's/["\\]/\\&/g')
token=$(call POST /api/auth/login "{\"username\":\"$username\",\"password\":\"$escaped\"}" | field token)
echo "Authorization: Bearer $token" >"$header"

call GET /api/auth/me
echo
token=$(call POST /api/auth/refresh | field token)
echo "Authorization: Bearer $token" >"$header"
call POST /api/auth/logout
