"""Requests at a steady rate for bench-rollout.sh, most of them on connections that stay open.

usage: rollout_load.py PORT RATE      (ends with SIGTERM; prints one line of JSON)
"""

import collections
import http.client
import json
import random
import signal
import sys
import threading
import time

PORT, RATE = int(sys.argv[1]), float(sys.argv[2])
KEEPING, CLOSING = 24, 4
SLOW_SHARE = 0.02

ended = threading.Event()
lock = threading.Lock()
counts = collections.Counter()
errors = collections.Counter()
versions = collections.Counter()
answers = []


def once(connection, slow):
    connection.request("GET", "/slow" if slow else "/")
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise http.client.HTTPException(f"status {response.status}")
    return body.decode()


def worker(number, keeps):
    pause = (KEEPING + CLOSING) / RATE
    chance = random.Random(number)
    due = time.monotonic() + chance.random() * pause
    connection, uses = None, 0
    while not ended.is_set():
        due = max(due + pause, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))
        slow = chance.random() < SLOW_SHARE
        if connection is None:
            connection, uses = http.client.HTTPConnection("127.0.0.1", PORT, timeout=15), 0
        try:
            version = once(connection, slow)
            uses += 1
            with lock:
                counts["requests"] += 1
                counts["slow"] += slow
                versions[version] += 1
                answers.append(time.monotonic())
            if not keeps:
                connection.close()
                connection = None
        except Exception as error:
            # A server may close a connection that is idle; the client's next request on it fails all the same.
            idle = uses > 0 and isinstance(error, (http.client.RemoteDisconnected, BrokenPipeError))
            with lock:
                counts["requests"] += 1
                counts["failed"] += 1
                counts["idle_closed"] += idle
                errors[f"{type(error).__name__}: {error}"[:80]] += 1
            connection.close()
            connection = None


signal.signal(signal.SIGTERM, lambda *_: ended.set())
workers = [threading.Thread(target=worker, args=(n, n < KEEPING)) for n in range(KEEPING + CLOSING)]
for one in workers:
    one.start()
while not ended.is_set():
    time.sleep(0.2)
for one in workers:
    one.join()
answers.sort()
gap = max((b - a for a, b in zip(answers, answers[1:])), default=0)
print(json.dumps({
    "requests": counts["requests"], "slow": counts["slow"], "failed": counts["failed"], "idle_closed": counts["idle_closed"],
    "gap_s": round(gap, 2), "versions": versions, "errors": errors,
}))
