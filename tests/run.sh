#!/usr/bin/env bash
# All tests, in two halves side by side: those with Docker mostly wait for pools and machines, the others compute.
# What the second half says comes after what the first says, and at the end come the summaries of both.
#
#     tests/run.sh PYTEST
set -uo pipefail
cd "$(dirname "$0")/.."
with_docker=(tests/cloud tests/engines tests/images tests/pool)
said="$(mktemp -d)"
"$1" "${with_docker[@]/#/--ignore=}" >"$said/others" 2>&1 &
others=$!
trap 'kill "$others" 2>/dev/null; wait; rm -rf "$said"' EXIT
"$1" "${with_docker[@]}" 2>&1 | tee "$said/docker"
failed=$?
wait "$others" || failed=1
cat "$said/others"
for half in docker others; do
  echo
  echo "In short, of the tests $([ $half = docker ] && echo with || echo without) Docker:"
  grep -E '^(FAILED|ERROR|XPASS|SKIPPED) |^=+ .* in [0-9.]+s' "$said/$half" || tail -n 5 "$said/$half"
done
exit "$failed"
