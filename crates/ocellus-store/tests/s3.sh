#!/bin/sh
# Runs the blob tests against an S3 server: moto, pinned, in a virtual environment that is kept in the
# per-user cache. Needs python3 with venv and pip, and the network the first time.
set -eu

cache=${OCELLUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ocellus}
venv=$cache/moto-5.2.5
if [ ! -x "$venv/bin/moto_server" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "moto[server]==5.2.5" >&2
fi
cd "$(dirname "$0")/.."

log=$(mktemp)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT

# Answers once it is up; creates the bucket.
tries=0
until python3 - "$port" <<'PY' 2>/dev/null; do
import sys, urllib.request
url = f"http://127.0.0.1:{sys.argv[1]}/blobs"
urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5)
PY
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then
        cat "$log" >&2
        exit 1
    fi
    sleep 0.5
done

OCELLUS_TEST_S3="s3://blobs?endpoint=http://127.0.0.1:$port&region=us-east-1" \
    cargo test -p ocellus-store --lib blobs "$@"
