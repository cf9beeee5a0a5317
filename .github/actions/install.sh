#!/usr/bin/env bash
# Sets the step's outputs: how flyteperf is called, and its version.
set -euo pipefail

command=${COMMAND:-}
if [ -z "$command" ]; then
  python3 -m venv "$RUNNER_TEMP/flyteperf-uv"
  "$RUNNER_TEMP/flyteperf-uv/bin/pip" install --quiet uv
  UV_PROJECT_ENVIRONMENT=$RUNNER_TEMP/flyteperf \
    "$RUNNER_TEMP/flyteperf-uv/bin/uv" sync --quiet --project "$SOURCES" --no-default-groups --extra go
  command=$RUNNER_TEMP/flyteperf/bin/flyteperf
fi
read -ra words <<<"$command"
version=$("${words[@]}" --version)
{
  echo "command=$command"
  echo "version=${version##* }"
} >>"$GITHUB_OUTPUT"
