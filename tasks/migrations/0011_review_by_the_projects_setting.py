from django.db import migrations, models


def leave_to_the_project(apps, schema_editor):
    """False meant that no one had asked for a review, and never that someone had decided against one."""
    apps.get_model("tasks", "Task").objects.filter(requires_review=False).update(requires_review=None)


def decide(apps, schema_editor):
    apps.get_model("tasks", "Task").objects.filter(requires_review=None).update(requires_review=False)


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0010_reopen_and_resume"),
    ]

    operations = [
        migrations.AlterField(
            model_name="task",
            name="requires_review",
            field=models.BooleanField(
                default=None,
                help_text="Whether its delivery is reviewed; unknown: as the project's setting says.",
                null=True,
            ),
        ),
        migrations.RunPython(leave_to_the_project, decide),
    ]
