#!/usr/bin/env python3
"""Submits a task and waits for its end: submit.py TYPE [PAYLOAD]. Needs Python 3.9 or later and nothing else."""
import http.client
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("FAIRLANE_URL", "http://127.0.0.1:3000")
API_KEY = os.environ.get("FAIRLANE_API_KEY")
QUEUE = os.environ.get("FAIRLANE_QUEUE", "examples")


def call(path, body=None, headers=None, timeout=40):
    """Sends the same request until it is answered: with its idempotency key a submission makes one task in any case."""
    while True:
        request = urllib.request.Request(URL + path, body and json.dumps(body).encode(), headers or {})
        request.add_header("content-type", "application/json")
        if API_KEY:
            request.add_header("authorization", f"Bearer {API_KEY}")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (408, 429) and error.code < 500:
                sys.exit(error.read().decode())
            time.sleep(float(error.headers.get("retry-after", 1)))
        except (OSError, http.client.HTTPException):
            time.sleep(1)


task = {"type": sys.argv[1], "queue": QUEUE, "payload": json.loads(sys.argv[2] if len(sys.argv) > 2 else "null")}
key = os.environ.get("IDEMPOTENCY_KEY") or secrets.token_hex(16)
task = call("/v1/tasks", task, {"idempotency-key": key, "prefer": "wait=10"})
while task["state"] not in ("completed", "failed", "cancelled", "expired"):
    task = call(f"/v1/tasks/{urllib.parse.quote(task['id'], safe='')}?wait=30")
print(json.dumps(task))
sys.exit(0 if task["state"] == "completed" else 1)
