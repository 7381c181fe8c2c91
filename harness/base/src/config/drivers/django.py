"""Runs Django's migrations on the scratch database only, whatever the settings name; prints what is applied afterwards."""
import os
import runpy
import sys

sys.path.insert(0, os.getcwd())
WHAT, NAME = (sys.argv[1:] + ["", ""])[:2]


def to_scratch(settings):
    for database in settings.DATABASES.values():
        if "postg" not in database.get("ENGINE", ""):
            database["ENGINE"] = "django.db.backends.postgresql"
        database.update(NAME=os.environ["PGDATABASE"], HOST=os.environ["PGHOST"], PORT=os.environ["PGPORT"],
                        USER=os.environ["PGUSER"], PASSWORD=os.environ.get("PGPASSWORD", ""))
        for key in ("sslmode", "service", "passfile", "init_command"):
            database.get("OPTIONS", dict()).pop(key, None)


def of_packages(plan, graph):
    """Migrations of installed packages, Django's own among them, that need none of the product's: nobody edits them."""
    here = os.getcwd() + os.sep

    def is_package(one):
        path = os.path.abspath(getattr(sys.modules.get(type(one).__module__), "__file__", None) or here)
        return not path.startswith(here) or "site-packages" in path or "dist-packages" in path

    own = set((one.app_label, one.name) for one in plan if not is_package(one))
    keys = ((one.app_label, one.name) for one in plan)
    return set(key for key in keys if key not in own and not own.intersection(graph.forwards_plan(key)))


def run(argv=None):
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    to_scratch(settings)
    django.setup()

    # Rows that Django itself keeps for each model, after every run of `migrate`, are no migration's.
    from django.apps import apps
    from django.db.models.signals import post_migrate

    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.management import create_contenttypes
        post_migrate.disconnect(create_contenttypes)

    def migrate(*target):
        call_command("migrate", *target, interactive=False, verbosity=0)

    executor = MigrationExecutor(connection)
    plan = [found for found, _ in executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)]
    packages = of_packages(plan, executor.loader.graph)
    plan = [one for one in plan if (one.app_label, one.name) not in packages]
    if WHAT in ("up", "down"):
        app, name = NAME.split(".", 1)
        if WHAT == "down":
            node = executor.loader.graph.node_map[(app, name)]
            parents = [parent.key[1] for parent in node.parents if parent.key[0] == app]
            name = sorted(parents)[0] if parents else "zero"
            done = executor.loader.applied_migrations
            beside = [one for one in plan if one.app_label == app and (app, one.name) in done and one.name != node.key[1]
                      and sorted(found.key[1] for found in executor.loader.graph.node_map[(app, one.name)].parents
                                 if found.key[0] == app) == sorted(parents)]
            if beside:
                # `migrate` would revert the branch beside it too.
                executor.migrate([], plan=[(executor.loader.graph.nodes[node.key], True)])
            else:
                migrate(app, name)
        else:
            migrate(app, name)
    elif WHAT == "prepare" and packages:
        whole = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
        executor.migrate([], plan=[step for step in whole if (step[0].app_label, step[0].name) in packages])
    elif WHAT == "up-all":
        migrate()
    elif WHAT == "down-all":
        for app in dict.fromkeys(found.app_label for found in reversed(plan)):
            migrate(app, "zero")
    applied = MigrationExecutor(connection).loader.applied_migrations
    for found in plan:
        print("[X]" if (found.app_label, found.name) in applied else "[ ]", found.app_label + "." + found.name)


import django.core.management

django.core.management.execute_from_command_line = run
sys.argv = ["manage.py"]
runpy.run_path("manage.py", run_name="__main__")
