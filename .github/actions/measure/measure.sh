#!/usr/bin/env bash
# Measures, and sets the step's output `exit-code`; a later step makes it the outcome, so that all is kept first.
set -uo pipefail

read -ra command <<<"$COMMAND"
read -ra cases <<<"$CASES"
read -ra options <<<"$OPTIONS"

[ "$SIZE" = default ] || options+=("--$SIZE")
[ "$STRICT" != true ] || options+=(--strict)
if [ -n "$BASE" ]; then
  command+=(ab --base "$BASE")
  [ -z "$HEAD" ] || options+=(--head "$HEAD")
  [ -z "$BASE_CONFIG" ] || options+=(--base-config "$BASE_CONFIG")
  [ -z "$HEAD_CONFIG" ] || options+=(--head-config "$HEAD_CONFIG")
else
  command+=(run --baseline)
  [ -z "$HEAD" ] || options+=(--flyte "$HEAD")
  [ -z "$HEAD_CONFIG" ] || options+=(--config "$HEAD_CONFIG")
fi
"${command[@]}" "${options[@]}" "${cases[@]}"
echo "exit-code=$?" >>"$GITHUB_OUTPUT"
