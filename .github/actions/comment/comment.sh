#!/usr/bin/env bash
# Posts or edits the one comment. The pull request is found by the commit that GitHub says was measured,
# never by anything in the artifact, which a fork may have written.
set -euo pipefail

read -ra command <<<"$COMMAND"
folder=$(mktemp -d)
gh run download "$RUN_ID" --name "$ARTIFACT" --dir "$folder"
number=$(gh pr list --state open --limit 1000 --json number,headRefOid \
  --jq "map(select(.headRefOid == \"$HEAD_SHA\")) | first | .number // empty")
if [ -z "$number" ]; then
  echo "::notice::no open pull request has the commit $HEAD_SHA: nothing to comment on"
  exit 0
fi
"${command[@]}" comment "$folder" >"$folder/comment.md"
mark=$(head -n 1 "$folder/comment.md")
earlier=$(gh api --paginate "repos/{owner}/{repo}/issues/$number/comments" \
  --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$mark\"))) | .id" | tail -n 1)
if [ -n "$earlier" ]; then
  gh api --silent --method PATCH "repos/{owner}/{repo}/issues/comments/$earlier" -F body=@"$folder/comment.md"
else
  gh api --silent --method POST "repos/{owner}/{repo}/issues/$number/comments" -F body=@"$folder/comment.md"
fi
