#!/usr/bin/env bash
# Submits a task and waits for its end: submit.sh TYPE [PAYLOAD]. Needs bash, curl 7.55 and jq 1.6.
set -euo pipefail
URL=${FAIRLANE_URL:-http://127.0.0.1:3000}
QUEUE=${FAIRLANE_QUEUE:-examples}
# With its key the submission makes one task, however often it is sent.
KEY=${IDEMPOTENCY_KEY:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}

headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
[[ -z ${FAIRLANE_API_KEY:-} ]] || echo "authorization: Bearer $FAIRLANE_API_KEY" >"$headers"

# Sends the same request until it is answered, and prints the answer.
call() { # path, further arguments of curl
  local answer status
  while true; do
    # An answer that broke off has a status, too.
    answer=$(curl -sS -m 40 -H "@$headers" -w '\n%{http_code}' "$URL$1" "${@:2}") || answer=$'\n000'
    status=${answer##*$'\n'} answer=${answer%$'\n'*}
    case $status in
      2??) echo "$answer"; return ;;
      000 | 408 | 429 | 50[!1]) sleep 1 ;;
      *) echo "$answer" >&2; return 1 ;;
    esac
  done
}

task=$(jq -cn --arg type "$1" --arg queue "$QUEUE" --argjson payload "${2:-null}" '{type: $type, queue: $queue, payload: $payload}')
task=$(call /v1/tasks --data-binary "$task" -H 'content-type: application/json' -H "idempotency-key: $KEY" -H 'prefer: wait=10')
until jq -e '.state | IN("completed", "failed", "cancelled", "expired")' <<<"$task" >/dev/null; do
  task=$(call "/v1/tasks/$(jq -r '.id | @uri' <<<"$task")?wait=30")
done
echo "$task"
jq -e '.state == "completed"' <<<"$task" >/dev/null
