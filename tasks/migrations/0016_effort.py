from django.db import migrations

from tasks.effort import minutes_in

_BATCH = 500


def fill(apps, schema_editor):
    """Say in numbers what the efforts of existing tasks say in words."""
    tasks = apps.get_model("tasks", "Task").objects
    estimated = tasks.exclude(effort="").order_by("pk").only("effort")
    last = 0
    while rows := list(estimated.filter(pk__gt=last)[:_BATCH]):
        for row in rows:
            row.effort_minutes = minutes_in(row.effort)
        tasks.bulk_update(rows, ["effort_minutes"])
        last = rows[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0015_next_task_and_wishes'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
