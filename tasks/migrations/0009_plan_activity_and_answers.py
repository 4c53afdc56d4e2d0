import django.utils.timezone
import tasks.validators
from django.db import migrations, models
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce


def take_over_times(apps, schema_editor):
    """Until now, the last change of a plan was that of its tasks."""
    tasks = apps.get_model("tasks", "Task").objects
    last = tasks.filter(root=OuterRef("pk")).order_by("-updated_at").values("updated_at")[:1]
    tasks.filter(parent=None).update(active_at=Coalesce(Subquery(last), F("updated_at")))


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0008_paths_and_marks_of_projects'),
    ]

    operations = [
        migrations.AddField(
            model_name='task',
            name='active_at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False, help_text='When its status last changed, or that of a task in its plan.'),
        ),
        migrations.AddField(
            model_name='task',
            name='answer',
            field=models.TextField(blank=True, help_text='Shown first in the brief: questions with their answers.'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('archived_at__isnull', True), ('parent__isnull', True)), fields=['project', 'status', '-active_at'], name='task_open_plans'),
        ),
        migrations.AlterField(
            model_name='project',
            name='settings',
            field=models.JSONField(blank=True, default=dict, help_text='lease_minutes: how long a claim holds; review: whether every delivery is reviewed (true or false); self_approval: whether whoever delivered may approve it; mirror: whether artifacts are kept as files in .task_orchestrator/artifacts/ of its folder.', validators=[tasks.validators.validate_project_settings]),
        ),
        migrations.RunPython(take_over_times, migrations.RunPython.noop),
    ]
