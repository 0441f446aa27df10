#!/usr/bin/env bash
# The whole of Nudge in a real browser: builds bin/nudge, serves the demo site with the example rules, posts the made-up history,
# plays visitors, and sends with Segment's own libraries. Takes two minutes, and ends by itself after ten where the machine is busy;
# screenshots and the server's log are in out/.
#
#   CHROMIUM=/path/to/chromium examples/e2e/run.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
mkdir -p "$here/out"
log=$here/out/server.log
: >"$log" # it is looked into before the server may have opened it

go build -o bin/nudge ./cmd/nudge
(cd "$here" && npm ci --no-audit --no-fund --loglevel=error && npm run --silent typecheck)

data=$(mktemp -d)
bin/nudge serve --demo --data "$data" --listen 127.0.0.1:0 >"$log" 2>&1 &
server=$!
stop() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  rm -rf "$data"
}
trap stop EXIT

url=
for _ in $(seq 600); do
  url=$(sed -n 's|.*listening on \(http://[^ ]*\).*|\1|p' "$log" | head -n 1)
  [ -n "$url" ] && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
if [ -z "$url" ]; then
  echo "the server did not get ready:" >&2
  cat "$log" >&2
  exit 3
fi

bin/nudge demo --url "$url"
cd "$here"
run() { # SECONDS [OPTION…] TEST…
  NUDGE_URL=$url timeout "$1" node --test --test-reporter=spec "${@:2}"
}
# Segment's libraries come last and alone: their alerts would stand in the feed that site.test.mjs looks at.
if ! { run 400 "$@" sdk.test.mjs site.test.mjs && run 30 "$@" segment.test.mjs; }; then
  echo "the server's log, its end:" >&2
  tail -n 40 "$log" >&2
  exit 1
fi
