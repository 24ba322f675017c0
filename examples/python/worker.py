#!/usr/bin/env python3
"""Executes the tasks of one queue, several at a time. Needs Python 3.9 or later and nothing else."""
import http.client
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

URL = os.environ.get("FAIRLANE_URL", "http://127.0.0.1:3000")
API_KEY = os.environ.get("FAIRLANE_API_KEY")
QUEUE = os.environ.get("FAIRLANE_QUEUE", "examples")
SLOTS = int(os.environ.get("FAIRLANE_SLOTS", "4"))
GRACE_S = float(os.environ.get("FAIRLANE_GRACE_SECONDS", "20"))
BEAT_S = float(os.environ.get("FAIRLANE_BEAT_SECONDS", "5"))  # Leases hold for 30 seconds, so that some beats may get lost.
WORKER_ID = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class Permanent(Exception):
    """Raised where trying again would not help."""

    def __init__(self, message, code="permanent"):
        super().__init__(message)
        self.code = code


def text_count(payload, attempt):
    return {"words": len(payload["text"].split())}


def sleep(payload, attempt):
    """What takes long looks at `attempt.stopped` now and then, or waits for it."""
    attempt.log(f"sleeping for {payload['ms']} ms")
    attempt.progress = {"percent": 0}
    if attempt.stopped.wait(payload["ms"] / 1000):
        raise RuntimeError("stopped")


def flaky(payload, attempt):
    if attempt.task["failures"] < payload["failures"]:
        raise RuntimeError("not yet")
    return {"attempt": attempt.task["attempt"]}


HANDLERS = {"text.count": text_count, "sleep": sleep, "flaky": flaky}


class Refused(Exception):
    """The API says no, and would say it again."""


def send(path, body, timeout=10, method="POST"):
    """One try. None for an answer without content. Raises Refused, or OSError where nobody knows what happened."""
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), method=method)
    request.add_header("content-type", "application/json")
    if API_KEY:
        request.add_header("authorization", f"Bearer {API_KEY}")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        if error.code == 501 or error.code not in (408, 429) and error.code < 500:
            raise Refused(f"{error.code} {error.read().decode()}") from None
        time.sleep(float(error.headers.get("retry-after", 0)))
        raise OSError(f"answered {error.code}") from None
    except http.client.HTTPException as error:
        raise OSError("the answer was cut off") from error


def send_last(path, body, method="POST"):
    """One try for one who stops: there is no time for more, and a lease that is not released runs out."""
    try:
        return send(path, body, method=method)
    except (OSError, Refused) as error:
        print(f"{path}: {error}", flush=True)
        return None


def post(path, body, timeout=10):
    """Sends the same request until it is answered."""
    while True:
        try:
            return send(path, body, timeout)
        except OSError as error:
            print(f"{path}: {error}; once more", flush=True)
            time.sleep(1)


class Attempt:
    """A leased task, until it is settled."""

    def __init__(self, task):
        self.task = task
        self.stopped = threading.Event()
        self.reason = None  # why it was stopped: lease-lost, cancelled or timeout
        self.progress = None
        self._lines = []
        self._lock = threading.Lock()

    def log(self, line):
        with self._lock:
            self._lines.append(line)

    def stop(self, reason):
        self.reason = self.reason or reason
        self.stopped.set()

    def message(self, **fields):
        """What every message about the attempt says, with the lines since the last one."""
        with self._lock:
            lines, self._lines = self._lines, []
        return {"id": self.task["id"], "leaseToken": self.task["leaseToken"], "logs": lines, **fields}


# By token: what was lost here may have been leased here again.
held = {}
slots = threading.Semaphore(SLOTS)


def run(attempt):
    task = attempt.task
    print(task["id"], "running", flush=True)
    timer = threading.Timer(task.get("timeoutMs", 86_400_000) / 1000, attempt.stop, ["timeout"])
    timer.daemon = True
    timer.start()
    try:
        if task["type"] not in HANDLERS:
            raise Permanent(f"nobody here executes {task['type']}", "no-handler")
        end = {"action": "complete", "result": HANDLERS[task["type"]](task.get("payload"), attempt)}
    except Permanent as error:
        end = failure(error.code, error, retryable=False)
    except Exception as error:
        end = failure(attempt.reason or type(error).__name__, error)
    timer.cancel()
    if attempt.reason == "lease-lost":
        print(task["id"], attempt.reason, flush=True)
    else:
        try:
            settle(attempt, end)
        except (Refused, TypeError, ValueError) as error:
            # A result that is no JSON, or too long, must not leave the task running.
            settle(attempt, failure("bad-result", error, retryable=False))
    del held[task["leaseToken"]]
    slots.release()


def failure(code, error, retryable=True):
    return {"action": "fail", "error": {"code": code, "message": str(error) or code}, "retryable": retryable}


def settle(attempt, end):
    [outcome] = post("/v1/leases/settle", {"settlements": [attempt.message(**end)]})["outcomes"]
    print(outcome["id"], outcome.get("state") or outcome["problem"]["code"], flush=True)


def keep():
    """One heartbeat for all that runs."""
    attempts = list(held.values())
    if not attempts:
        return
    leases = [attempt.message() for attempt in attempts]
    for attempt, lease in zip(attempts, leases):
        if attempt.progress is not None:
            lease["progress"] = attempt.progress
    for attempt, outcome in zip(attempts, send("/v1/leases/heartbeat", {"leases": leases})["outcomes"]):
        if outcome.get("problem", {}).get("code") in ("lease-lost", "task-not-found"):
            attempt.stop("lease-lost")
        elif outcome.get("cancelRequested"):
            attempt.stop("cancelled")


MYSELF = {
    "queues": [QUEUE],
    "types": list(HANDLERS),
    "host": socket.gethostname(),
    "pid": os.getpid(),
    "version": "1.0.0",
    "labels": {"language": "python"},
    "ttl": "30s",
}
# Cleared while an operator wants it to take nothing.
takes = threading.Event()
takes.set()
leaving = threading.Event()


def appear():
    """Says that the worker is there, and hears what an operator wants of it."""
    command = send(f"/v1/workers/{WORKER_ID}", MYSELF, method="PUT").get("command")
    if command is None:
        return takes.set()
    print(f"told: {command}", flush=True)
    takes.clear()
    if command == "terminate":
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)


def beat():
    """What got lost is not repeated: the next beat says it all."""
    while not leaving.is_set():
        for each in (keep, appear):
            try:
                each()
            except (OSError, Refused) as error:
                print(f"{each.__name__}: {error}", flush=True)
        leaving.wait(BEAT_S)


class Stop(Exception):
    """Raised in the main thread, wherever it is, by the first signal."""


def stop(*_):
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    raise Stop


class Taker:
    """Takes tasks for all free slots, as soon as there are some."""

    def __init__(self):
        self.request = None

    def work(self):
        while True:
            slots.acquire()
            takes.wait()
            free = 1
            while slots.acquire(blocking=False):
                free += 1
            self.request = {"workerId": WORKER_ID, "max": free, "requestId": secrets.token_hex(16)}
            lease = post(f"/v1/queues/{QUEUE}/lease", {**self.request, "wait": "20s"}, timeout=30)
            for task in lease["items"] if lease else []:
                attempt = held[task["leaseToken"]] = Attempt(task)
                threading.Thread(target=run, args=[attempt], daemon=True).start()
                free -= 1
            if free:
                slots.release(free)

    def give_back(self):
        """What was on its way to us when the request was cut off: the same one, for no task, tells what it has taken."""
        lease = self.request and send_last(f"/v1/queues/{QUEUE}/lease", {**self.request, "max": 0})
        release([Attempt(task) for task in lease["items"] if task["leaseToken"] not in held] if lease else [])


def release(attempts):
    if attempts:
        send_last("/v1/leases/settle", {"settlements": [attempt.message(action="release") for attempt in attempts]})


def main():
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    taker = Taker()
    try:
        taker.work()
    except Stop:
        print("stopping", flush=True)
    taker.give_back()
    deadline = time.monotonic() + GRACE_S
    while held and time.monotonic() < deadline:
        time.sleep(0.05)
    release(list(held.values()))
    leaving.set()
    beating.join()
    send_last(f"/v1/workers/{WORKER_ID}", {}, method="DELETE")


if __name__ == "__main__":
    main()
