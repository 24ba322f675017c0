#!/usr/bin/env bash
# Executes the tasks of one queue, one at a time. Needs bash 4.1, curl 7.55 and jq 1.6.
# -m: each job is a process group of its own, so that all of it can be ended.
set -um
URL=${FAIRLANE_URL:-http://127.0.0.1:3000}
QUEUE=${FAIRLANE_QUEUE:-examples}
GRACE_SECONDS=${FAIRLANE_GRACE_SECONDS:-20}
BEAT_SECONDS=${FAIRLANE_BEAT_SECONDS:-5} # Leases hold for 30 seconds, so that some beats may get lost.
host=$(hostname)
worker="$host-$$-$RANDOM$RANDOM"

dir=$(mktemp -d) appearing=''
# Nobody ever writes to it: to read from it for a while is to sleep without a program that gets the signals of a terminal.
mkfifo "$dir/never" && exec {never}<>"$dir/never"
nap() { read -rt "$1" -u "$never"; }

# What runs beside the worker must not outlive it.
pause() { nap "$1"; kill -0 $$ 2>/dev/null; }

# What follows is for jobs that bash was told to forget (`disown`), as it would otherwise print how each of them ended.
# Not with `wait`, which may begin when a signal has just come, and then hears of it when the job has ended.
await() { while kill -0 "$1" 2>/dev/null; do nap 0.05; done; }

# Asks a job to end, and ends by force what has not after five seconds. It is asked again and again, since a job that has
# only begun still has the traps of its parent, and can miss a signal.
end_job() {
  local tries=0
  while kill -0 "$1" 2>/dev/null && (((tries += 1) <= 100)); do kill -- "-$1" 2>/dev/null; nap 0.05; done
  kill_job "$1"
}

kill_job() { kill -KILL -- "-$1" 2>/dev/null; }

# Not in a job that is ended as soon as it has begun, for the same reason.
trap '[[ $BASHPID != $$ ]] || { [[ -z $appearing ]] || kill_job "$appearing"; rm -rf "$dir"; }' EXIT
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
  [[ -z $polling ]] || kill_job "$polling"
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

# Sends a request, once. Its status is in $status, its body in $answer. Status 000: nobody knows what happened.
try() { # method, path, body, seconds, `cut` if `stop` may end it
  local whole
  out="$dir/answer.$BASHPID"
  rm -f "$out"*
  # An answer that broke off has a status, too.
  { curl -sS -X "$1" -m "$4" -H "@$dir/headers" --data-binary @- -o "$out" -D "$out.head" -w '%{http_code}' "$URL$2" &&
    echo ' whole'; } <<<"$3" >"$out.status" &
  disown
  if [[ ${5:-} == cut ]]; then
    polling=$!
    # A signal that came before this line did not know of it.
    ! $stopping || kill_job "$polling"
  fi
  await $!
  polling=''
  read -r status whole <"$out.status"
  if [[ $whole ]]; then answer=$(cat "$out"); else answer='' status=000; fi
}

# Sends the same request until it is answered. Status `unanswered`: the worker stops, and there is no time to try again.
call() { # as `try`
  while true; do
    try "$@"
    if is_answer; then return; fi
    if $stopping && { [[ ${5:-} == cut ]] || ((SECONDS > deadline)); }; then status=unanswered; return; fi
    pause "$(awk 'tolower($1) == "retry-after:" {seconds = $2 + 0} END {print seconds + 1}' "$out.head" 2>/dev/null)" || return
  done
}

is_answer() {
  case $status in
    000 | 408 | 429 | 50[!1]) return 1 ;;
  esac
}

# Says that the worker is there, and hears what an operator wants of it.
appear() {
  local myself
  myself=$(jq -cn --arg queue "$QUEUE" --arg host "$host" --argjson pid $$ '{queues: [$queue], host: $host, pid: $pid,
    types: ["text.count", "sleep", "flaky"], version: "1.0.0", labels: {language: "bash"}, ttl: "30s"}')
  while true; do
    try PUT "/v1/workers/$worker" "$myself" 10
    case $status:$(jq -r .command <<<"$answer") in
      200:quiet) echo 'told: quiet'; touch "$dir/quiet" ;;
      200:terminate) echo 'told: terminate'; kill $$ ;;
      200:*) rm -f "$dir/quiet" ;;
    esac
    pause "$BEAT_SECONDS" || return
  done
}

# Keeps the lease, and ends the job when it must not go on. Why is in the file `reason` then. A heartbeat that got lost is
# not repeated: the next one says it all.
beat() { # task's path, token, job, its time in seconds
  # SECONDS are whole ones, and the present one may be nearly over.
  local end=$((SECONDS + 1 + $4)) reason=timeout
  while pause "$BEAT_SECONDS" && ((SECONDS < end)); do
    try POST "$1/heartbeat" "{\"leaseToken\":\"$2\"}" 10
    if ! is_answer; then continue; fi
    if [[ $status == 40[49] ]]; then reason=$status; break; fi
    if jq -e .cancelRequested <<<"$answer" >/dev/null; then reason=cancelled; break; fi
  done
  echo "$reason" >"$dir/reason"
  end_job "$3"
}

# Tells how it ended. Until that is answered the lease is kept, and with it what was done.
settle() { # action, body; of what is executed
  while pause "$BEAT_SECONDS"; do try POST "$path/heartbeat" "{\"leaseToken\":\"$token\"}" 10; done &
  disown
  local keeping=$!
  call POST "$path/$1" "$2" 10
  kill_job "$keeping"
}

execute() { # task
  local path token job beating code reason='' end
  path="/v1/tasks/$(jq -r '.id | @uri' <<<"$1")" token=$(jq -r .leaseToken <<<"$1")
  echo "$path running"
  rm -f "$dir/reason"
  echo 143 >"$dir/code"
  { (jq .payload <<<"$1" | handle "$1") >"$dir/result" 2>"$dir/error"; echo $? >"$dir/code"; } &
  disown
  job=$!
  beat "$path" "$token" "$job" "$(jq '(.timeoutMs // 86400000) / 1000 | ceil' <<<"$1")" &
  disown
  beating=$!
  while kill -0 "$job" 2>/dev/null; do
    if $stopping && ((SECONDS >= deadline)); then reason=stopping; end_job "$job"; else nap 0.05; fi
  done
  code=$(<"$dir/code")
  # Not before the job: until it has ended, its lease is kept.
  kill_job "$beating"
  await "$beating"
  if [[ -f $dir/reason ]]; then reason=$(<"$dir/reason"); fi

  if [[ $reason == 4?? ]]; then
    status=$reason answer='lease-lost' # The lease is lost: there is nothing to settle.
  elif [[ $code == 0 ]] && end=$(jq -cs --arg token "$token" \
    '{leaseToken: $token} + (if . == [] then {} else {result: .[0]} end)' "$dir/result"); then
    settle complete "$end"
    # A result that is too long must not leave the task running.
    if [[ $status == 4?? && $status != 40[49] ]]; then
      settle fail "$(jq -cn --arg token "$token" --arg message "$answer" \
        '{leaseToken: $token, error: {message: $message, code: "bad-result"}, retryable: false}')"
    fi
  elif [[ $reason == stopping ]] || { $stopping && [[ $code == 143 ]]; }; then # Whoever stops a service may signal all of it.
    settle release "{\"leaseToken\":\"$token\"}"
  else
    end=$(jq -cRs --arg token "$token" --arg code "${reason:-exit-$code}" \
      '{leaseToken: $token, error: {message: ., code: $code}, retryable: ($code != "exit-65")}' "$dir/error")
    settle fail "$end"
  fi
  echo "$path $status $answer"
}

lease() { # how many, seconds, `cut` if `stop` may end it
  call POST "/v1/queues/$QUEUE/lease" "$(jq -cn --arg worker "$worker" --arg id "$request_id" --argjson max "$1" \
    '{workerId: $worker, max: $max, wait: "20s", requestId: $id}')" "$2" "${3:-}"
}

appear &
disown
appearing=$! status=204
until $stopping; do
  if [[ -e $dir/quiet ]]; then nap 1; continue; fi
  request_id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  lease 1 30 cut
  case $status in
    200) execute "$(jq -c '.items[0]' <<<"$answer")" ;;
    204 | unanswered) ;;
    *) echo "$status $answer" >&2; exit 1 ;;
  esac
done
# Cut off by `stop`, it may have been given a task at that moment: the same request, for none, tells which.
if [[ $status == unanswered ]]; then
  lease 0 10
  if [[ $status == 200 ]]; then
    token=$(jq -r '.items[0].leaseToken' <<<"$answer")
    call POST "/v1/tasks/$(jq -r '.items[0].id | @uri' <<<"$answer")/release" "{\"leaseToken\":\"$token\"}" 10
  fi
fi
kill_job "$appearing"
await "$appearing"
call DELETE "/v1/workers/$worker" '{}' 10
