#!/bin/sh
# A job that runs every night: it sends a request with a token for machines, and tells the operator when it needs a new one.
#
#   docker compose run --rm -T latchkey user issue-token alice --name backup --expires-in 7776000 >token
#
# usage: machine.sh URL TOKEN-FILE
set -eu
url=$1 token_file=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(umask 077 && printf 'Authorization: Bearer %s\n' "$(cat "$token_file")" >"$work/header") # an argument would be visible

for attempt in 1 2 3 4 5; do
  status=$(curl --silent --show-error --max-time 30 --output "$work/body" --dump-header "$work/response" \
    --write-out '%{http_code}' --header "@$work/header" "$url/api/todos?limit=200") || status=000
  case $status in
    200)
      cat "$work/body"
      exit 0
      ;;
    000) sleep "$attempt" ;; # no response: the service is being restarted
    503) sleep "$(sed -n 's/^[Rr]etry-[Aa]fter: \([0-9]*\).*/\1/p' "$work/response")" ;;
    *) break ;; # the same request would get the same response
  esac
done
code=$(sed -n 's/.*"code":"\([a-z_]*\)".*/\1/p' "$work/body" 2>/dev/null || true)
echo "machine.sh: status code $status ${code:-without a response}" >&2
if [ "$code" = invalid_token ]; then
  echo "machine.sh: the token has expired or was revoked. Issue a new one." >&2
fi
exit 1
