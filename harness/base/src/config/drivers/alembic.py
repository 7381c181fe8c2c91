"""Runs Alembic on the scratch database only, whatever URL env.py takes; prints what is applied afterwards."""
import os
import sys
from importlib.util import find_spec

sys.path.insert(0, os.getcwd())
from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

HERE = dict(host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"],
            password=os.environ.get("PGPASSWORD", ""))


@event.listens_for(Engine, "do_connect")
def to_scratch(dialect, record, args, parameters):
    if dialect.name != "postgresql":
        sys.exit("env.py connects to " + dialect.name + ", and only PostgreSQL is tested here")
    for key in ("sslmode", "ssl", "service", "passfile", "dsn", "hostaddr", "dbname", "database"):
        parameters.pop(key, None)
    args.clear()
    parameters.update(HERE)
    parameters["dbname" if dialect.driver.startswith("psycopg") else "database"] = os.environ["PGDATABASE"]


def of_flask():
    """Flask-Migrate: its env.py takes engine and models of the application, which Flask's own rules find."""
    from flask.cli import ScriptInfo, load_dotenv

    load_dotenv()
    app = ScriptInfo(app_import_path=os.environ.get("FLASK_APP")).load_app()
    app.app_context().push()
    extension = app.extensions["migrate"]
    return extension.migrate.get_config(getattr(extension, "directory", None))


def of_file():
    try:
        # From 1.16 on, pyproject.toml may have the settings.
        return Config("alembic.ini", toml_file="pyproject.toml" if os.path.exists("pyproject.toml") else None)
    except TypeError:
        return Config("alembic.ini")


def has_settings():
    if os.path.exists("alembic.ini"):
        return True
    return os.path.exists("pyproject.toml") and "[tool.alembic" in open("pyproject.toml", encoding="utf-8").read()


config = of_file() if has_settings() or find_spec("flask_migrate") is None else of_flask()
# What `alembic init` writes, until somebody has another URL.
if (config.get_main_option("sqlalchemy.url") or "driver:").startswith("driver:"):
    own = next((one for one in ("psycopg2", "psycopg", "asyncpg", "pg8000") if find_spec(one)), "psycopg")
    config.set_main_option("sqlalchemy.url", "postgresql+" + own + "://scratch")
script = ScriptDirectory.from_config(config)


def applied():
    heads = []

    def look(revisions, context):
        if context.connection is None:
            sys.exit("env.py runs offline; it has to connect")
        name = context.connection.execute(text("select current_database()")).scalar()
        if name != os.environ["PGDATABASE"]:
            sys.exit("env.py connects by itself to " + str(name) + "; let it use an SQLAlchemy engine")
        heads.extend(revisions if isinstance(revisions, (list, tuple)) else [revisions])
        return []

    with EnvironmentContext(config, script, fn=look, as_sql=False):
        script.run_env()
    heads = [head for head in heads if head]
    return {one.revision for one in script.iterate_revisions(tuple(heads), "base", implicit_base=True)} if heads else set()


def report():
    done = applied()
    for one in reversed(list(script.iterate_revisions("heads", "base", implicit_base=True))):
        print("[X]" if one.revision in done else "[ ]", one.revision)


def target_below(revision):
    """What to downgrade to so that this revision alone goes: its own lineage, one step."""
    one = script.get_revision(revision)
    below = one.down_revision
    if isinstance(below, (list, tuple)):
        return below[0]
    return revision + "@" + (below or "base")


what, name = (sys.argv[1:] + ["", ""])[:2]
if what != "status":
    applied()
if what == "up":
    command.upgrade(config, name)
elif what == "down":
    command.downgrade(config, target_below(name))
elif what == "up-all":
    command.upgrade(config, "heads")
elif what == "down-all":
    command.downgrade(config, "base")
report()
