#!/usr/bin/env bash
# Compares HTTP checks with curl (and hurl, if HURL names the program), times a list of 2,000 checks, and measures the
# memory that hostile responses use. usage: scripts/bench-http.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release --quiet --locked --bin gate
bench=$(cargo bench --locked --bench http --no-run --message-format json 2>/dev/null |
  sed -n 's/.*"name":"http".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
target=$(dirname "$(dirname "$bench")")

echo "1,000 HTTP checks, 8 at a time, in turns of one run:"
"$bench" race ${HURL:+hurl "$HURL"}
echo
echo "gate test --list:"
"$bench" list "$target/gate"
echo
echo "Hostile responses (end, time, peak memory of the requesting process):"
"$bench" memory
