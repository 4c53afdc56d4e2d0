"""Let a folder of logical paths be looked up: each path knows its project, and the folder that it lies in."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Replace


def tell_projects(apps, schema_editor):
    paths = apps.get_model("artifacts", "ArtifactPath")
    artifact = apps.get_model("artifacts", "Artifact").objects.filter(pk=models.OuterRef("artifact_id"))
    paths.objects.update(project_id=models.Subquery(artifact.values("project_id")[:1]))


def order_folders(apps, schema_editor):
    """Add an index by the bytes of folders, by which PostgreSQL hops from one to the next; SQLite has only such."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            'CREATE INDEX artifact_path_folders ON artifacts_artifactpath (project_id, folder COLLATE "C")', params=None
        )


def forget_order(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX artifact_path_folders", params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('artifacts', '0004_search'),
        ('tasks', '0003_rest_writes'),
    ]

    operations = [
        migrations.AddField(
            model_name='artifactpath',
            name='project',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.project'),
        ),
        migrations.RunPython(tell_projects, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='artifactpath',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.project'),
        ),
        migrations.AddField(
            model_name='artifactpath',
            name='folder',
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func(
                    models.F('path'), Replace('path', models.Value('/'), models.Value('')), function='RTRIM'
                ),
                output_field=models.CharField(max_length=1024),
            ),
        ),
        migrations.AddIndex(
            model_name='artifactpath',
            index=models.Index(fields=['project', 'folder', 'path'], name='artifact_path_tree'),
        ),
        migrations.RunPython(order_folders, forget_order),
    ]
