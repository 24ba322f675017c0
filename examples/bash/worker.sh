#!/usr/bin/env bash
# Executes the tasks of one queue, one at a time. Needs bash 4, curl 7.55 and jq 1.6.
# -m: each job is a process group of its own, so that all of it can be ended.
set -um
URL=${FAIRLANE_URL:-http://127.0.0.1:3000}
QUEUE=${FAIRLANE_QUEUE:-examples}
GRACE_SECONDS=${FAIRLANE_GRACE_SECONDS:-20}
BEAT_SECONDS=${FAIRLANE_BEAT_SECONDS:-5} # Leases hold for 30 seconds, so that some beats may get lost.
host=$(hostname)
worker="$host-$$-$RANDOM$RANDOM"

# Ends a job. Again and again: one that has only begun still has the traps of its parent, and can miss a signal.
end_job() {
  while kill -- "-$1" 2>/dev/null; do sleep 0.05; done
}

# What runs beside the worker must not outlive it.
pause() { sleep "$1" && kill -0 $$ 2>/dev/null; }

dir=$(mktemp -d) appearing=''
# Not in a job that is ended as soon as it has begun, for the same reason.
trap '[[ $BASHPID != $$ ]] || { [[ -z $appearing ]] || end_job "$appearing"; rm -rf "$dir"; }' EXIT
# In a file, since everybody can read the arguments of a program.
{
  echo 'content-type: application/json'
  [[ -z ${FAIRLANE_API_KEY:-} ]] || echo "authorization: Bearer $FAIRLANE_API_KEY"
} >"$dir/headers"

stopping=false deadline=0 polling=''
stop() {
  $stopping || deadline=$((SECONDS + GRACE_SECONDS))
  stopping=true
  # The API takes nothing for a request whose client has gone.
  [[ -z $polling ]] || end_job "$polling"
}
trap stop TERM INT

# Gets the payload on standard input, prints the result, if any, as JSON. Exit code 65: trying again would not help.
handle() { # task
  case $(jq -r .type <<<"$1") in
    text.count) jq '{words: [.text | splits("\\s+") | select(. != "")] | length}' ;;
    sleep) sleep "$(jq '.ms / 1000')" ;;
    flaky) if (($(jq .failures <<<"$1") < $(jq .failures))); then echo 'not yet' >&2; return 1; else jq '{attempt}' <<<"$1"; fi ;;
    *) echo 'nobody here executes it' >&2; return 65 ;;
  esac
}

# Sends the same request until it is answered: its status is in $status, its body in $answer. Status `unanswered`: the
# worker stops, and there is no time to try again.
call() { # method, path, body, seconds, `cut` if `stop` may end it
  local out="$dir/answer.$BASHPID" process
  while true; do
    curl -sS -X "$1" -m "$4" -H "@$dir/headers" --data-binary @- -w '\n%{http_code}' "$URL$2" <<<"$3" >"$out" &
    process=$!
    if [[ ${5:-} == cut ]]; then
      polling=$process
      # A signal that came before this line did not know of it.
      ! $stopping || end_job "$process"
    fi
    # A signal ends `wait` before the program has ended.
    while kill -0 "$process" 2>/dev/null; do wait "$process"; done
    polling='' answer=$(<"$out") status=${answer##*$'\n'} answer=${answer%$'\n'*}
    case $status in
      '' | 000 | 408 | 429 | 5??) ;;
      *) return ;;
    esac
    if $stopping && { [[ ${5:-} == cut ]] || ((SECONDS > deadline)); }; then status=unanswered; return; fi
    pause 1 || return
  done
}

# Says that the worker is there, and hears what an operator wants of it.
appear() {
  local myself
  myself=$(jq -cn --arg queue "$QUEUE" --arg host "$host" --argjson pid $$ '{queues: [$queue], host: $host, pid: $pid,
    types: ["text.count", "sleep", "flaky"], version: "1.0.0", labels: {language: "bash"}, ttl: "30s"}')
  while kill -0 $$ 2>/dev/null; do
    call PUT "/v1/workers/$worker" "$myself" 10
    case $(jq -r .command <<<"$answer") in
      quiet) echo 'told: quiet'; touch "$dir/quiet" ;;
      terminate) echo 'told: terminate'; kill $$ ;;
      *) rm -f "$dir/quiet" ;;
    esac
    sleep "$BEAT_SECONDS"
  done
}

# Keeps the lease, and ends the job when it must not go on. Why is in the file `reason` then.
beat() { # task's path, token, job, its time in seconds
  local end=$((SECONDS + $4))
  while pause $((end - SECONDS < BEAT_SECONDS ? end - SECONDS : BEAT_SECONDS)) && ((SECONDS < end)); do
    call POST "$1/heartbeat" "{\"leaseToken\":\"$2\"}" 10
    if [[ $status != 200 ]]; then break; fi
    if jq -e .cancelRequested <<<"$answer" >/dev/null; then status=cancelled; break; fi
  done
  if ((SECONDS >= end)); then status=timeout; fi
  echo "$status" >"$dir/reason"
  kill -- "-$3"
}

# Tells how it ended. Until that is answered the lease is kept, and with it what was done.
settle() { # action, body; of what is executed
  while pause "$BEAT_SECONDS"; do call POST "$path/heartbeat" "{\"leaseToken\":\"$token\"}" 10; done &
  local keeping=$!
  call POST "$path/$1" "$2" 10
  end_job "$keeping"
}

execute() { # task
  local path token job beating code=143 reason='' end
  path="/v1/tasks/$(jq -r '.id | @uri' <<<"$1")" token=$(jq -r .leaseToken <<<"$1")
  echo "$path running"
  rm -f "$dir/reason"
  (jq .payload <<<"$1" | handle "$1") >"$dir/result" 2>"$dir/error" &
  job=$!
  beat "$path" "$token" "$job" "$(jq '(.timeoutMs // 86400000) / 1000 | ceil' <<<"$1")" &
  beating=$!
  $stopping || { wait "$job"; code=$?; }
  while kill -0 "$job" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
  if kill -- "-$job" 2>/dev/null; then reason=stopping; elif $stopping; then wait "$job"; code=$?; fi
  end_job "$beating"
  wait "$job" "$beating" 2>/dev/null
  if [[ -f $dir/reason ]]; then reason=$(<"$dir/reason"); fi

  if [[ $reason == 4?? ]]; then
    status=$reason answer='' # The lease is lost: there is nothing to settle.
  elif [[ $code == 0 ]] && end=$(jq -cs --arg token "$token" \
    '{leaseToken: $token} + (if . == [] then {} else {result: .[0]} end)' "$dir/result"); then
    settle complete "$end"
  elif [[ $reason == stopping ]]; then
    settle release "{\"leaseToken\":\"$token\"}"
  else
    end=$(jq -cRs --arg token "$token" --arg code "${reason:-exit-$code}" \
      '{leaseToken: $token, error: {message: ., code: $code}, retryable: ($code != "exit-65")}' "$dir/error")
    settle fail "$end"
  fi
  echo "$path $status $answer"
}

lease() { # how many, `cut` if `stop` may end it
  call POST "/v1/queues/$QUEUE/lease" "$(jq -cn --arg worker "$worker" --arg id "$request_id" --argjson max "$1" \
    '{workerId: $worker, max: $max, wait: "20s", requestId: $id}')" 30 "${2:-}"
}

appear &
appearing=$! status=204
until $stopping; do
  if [[ -e $dir/quiet ]]; then sleep 1; continue; fi
  request_id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  lease 1 cut
  case $status in
    200) execute "$(jq -c '.items[0]' <<<"$answer")" ;;
    204 | unanswered) ;;
    *) echo "$status $answer" >&2; exit 1 ;;
  esac
done
# Cut off by `stop`, it may have been given a task at that moment: the same request, for none, tells which.
if [[ $status == unanswered ]]; then
  lease 0
  if [[ $status == 200 ]]; then
    token=$(jq -r '.items[0].leaseToken' <<<"$answer")
    call POST "/v1/tasks/$(jq -r '.items[0].id | @uri' <<<"$answer")/release" "{\"leaseToken\":\"$token\"}" 10
  fi
fi
end_job "$appearing"
call DELETE "/v1/workers/$worker" '{}' 10
