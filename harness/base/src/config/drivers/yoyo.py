"""Runs yoyo on the scratch database only, whatever yoyo.ini names; prints what is applied afterwards."""
import os
import sys
from urllib.parse import parse_qs, quote

sys.path.insert(0, os.getcwd())
from yoyo import get_backend, read_migrations
from yoyo.config import find_config, read_config
from yoyo.migrations import topological_sort

WHAT, NAME = (sys.argv[1:] + ["", ""])[:2]
config = read_config(find_config())
where = config.get("DEFAULT", "database", raw=True, fallback="postgresql:")
scheme, _, query = where.partition(":")[0], *where.rpartition("?")[1:]
if not scheme.startswith("postgres"):
    sys.exit("yoyo.ini names " + scheme + ", and only PostgreSQL is tested here")
url = scheme + "://" + quote(os.environ["PGUSER"], "")
if os.environ.get("PGPASSWORD"):
    url += ":" + quote(os.environ["PGPASSWORD"], "")
url += "@" + os.environ["PGHOST"] + ":" + os.environ["PGPORT"] + "/" + quote(os.environ["PGDATABASE"], "")
if "schema" in parse_qs(query):
    url += "?schema=" + quote(parse_qs(query)["schema"][0], "")

sources = config.get("DEFAULT", "sources", fallback="migrations" if os.path.isdir("migrations") else ".")
backend = get_backend(url, config.get("DEFAULT", "migration_table", fallback="_yoyo_migration"))
migrations = read_migrations(*sources.split())
ordered = list(topological_sort(migrations))
applied = backend.get_applied_migration_hashes()


def steps(step):
    """The steps below one: a transaction has one, a group several."""
    if hasattr(step, "step"):
        return steps(step.step)
    return [below for one in step.steps for below in steps(one)] if hasattr(step, "steps") else [step]


def revert(migration):
    migration.load()
    found = [one for step in migration.steps for one in steps(step)]
    # yoyo takes such a migration off its list, and reverts nothing.
    if found and all(one._rollback is None for one in found):
        sys.exit("IrreversibleMigration: none of the steps has a rollback")
    backend.rollback_one(migration)


if WHAT in ("up", "up-all"):
    for one in ordered:
        if one.hash not in applied and (WHAT == "up-all" or one.id == NAME):
            backend.apply_one(one)
    backend.run_post_apply(migrations)
elif WHAT in ("down", "down-all"):
    for one in reversed(ordered):
        if one.hash in applied and (WHAT == "down-all" or one.id == NAME):
            revert(one)
applied = backend.get_applied_migration_hashes()
for one in ordered:
    print("[X]" if one.hash in applied else "[ ]", one.id)
