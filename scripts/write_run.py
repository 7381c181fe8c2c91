"""Writes a run: the journal of a fixture under another id, with times of today, each line chained like one that the gate wrote.

usage: write_run.py FIXTURE RUNS RUN [--release NAME] [--previous NAME] [--reason TEXT] [--minutes-ago N | --now]
RUN may have `{}` for the time (20260102-030405). --reason adds a text to each reason. --now gives all lines the time of now.
"""

import argparse
import datetime
import hashlib
import json
import os

parser = argparse.ArgumentParser()
for name in ("fixture", "runs", "run"):
    parser.add_argument(name)
parser.add_argument("--release")
parser.add_argument("--previous")
parser.add_argument("--reason", default="")
parser.add_argument("--minutes-ago", type=int, default=0)
parser.add_argument("--now", action="store_true")
args = parser.parse_args()

with open(args.fixture) as file:
    text = file.read()
then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=args.minutes_ago)
run = args.run.replace("{}", then.strftime("%Y%m%d-%H%M%S"))
first = json.loads(text.split("\n", 1)[0])
began = datetime.datetime.fromisoformat(first["wall"].replace("Z", "+00:00"))
prev, lines = "", []
for line in text.replace(first["run"], run).splitlines():
    value = json.loads(line)
    wall = then
    if not args.now:
        wall += datetime.datetime.fromisoformat(value["wall"].replace("Z", "+00:00")) - began
    value["wall"] = wall.strftime("%Y-%m-%dT%H:%M:%S.") + f"{wall.microsecond // 1000:03d}Z"
    for key, name in (("release", args.release), ("previous", args.previous)):
        if "plan" in value and name:
            value["plan"][key] = {"name": name, "commit": hashlib.sha1(name.encode()).hexdigest()}
    if "reason" in value:
        value["reason"] += args.reason
    value["prev"] = prev
    line = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    prev = hashlib.sha256(line.encode()).hexdigest()
    lines.append(line)
folder = os.path.join(args.runs, run)
os.makedirs(folder)
with open(os.path.join(folder, "journal.jsonl"), "w") as file:
    file.write("\n".join(lines) + "\n")
with open(os.path.join(folder, "journal.head"), "w") as file:
    file.write(f"{len(lines)} {prev}\n")
