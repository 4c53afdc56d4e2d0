"""Count what waits for each task that was planned before its chain was stored."""

from collections import defaultdict
from graphlib import CycleError

from django.db import migrations

from tasks.graph.chains import reaches

FINISHED = ("completed", "cancelled")
CHUNK = 500


def count(apps, schema_editor):
    Task, Dependency = apps.get_model("tasks", "Task"), apps.get_model("tasks", "Dependency")
    counted = Task.objects.filter(is_leaf=True, archived_at=None).exclude(status__in=FINISHED).order_by()
    leaves = set(counted.values_list("pk", flat=True))
    waiting = defaultdict(list)
    for need, task in set(Dependency.objects.order_by().values_list("depends_on_id", "task_id").iterator()):
        if task in leaves:
            waiting[need].append(task)
    parents = dict(Task.objects.order_by().values_list("pk", "parent_id"))
    by_project, by_reach = defaultdict(list), defaultdict(list)
    for key, project in counted.values_list("pk", "project_id"):
        by_project[project].append(key)
    for leaves in by_project.values():
        try:
            found = reaches(leaves, parents, waiting)
        except CycleError:  # nothing that a service made; maintenance finds it
            continue
        for key, reach in found.items():
            if reach != (1, 0):
                by_reach[reach].append(key)
    for reach, keys in by_reach.items():
        for start in range(0, len(keys), CHUNK):
            rows = Task.objects.filter(pk__in=keys[start : start + CHUNK])
            rows.update(chain=reach.chain, unblocks=reach.unblocks)


class Migration(migrations.Migration):

    dependencies = [
        ("tasks", "0016_effort"),
    ]

    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
