from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ('maintenance', '0001_job_runs'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='jobrun', name='job_run_is_finished_when_it_is'),
        migrations.AddConstraint(
            model_name='jobrun',
            constraint=models.CheckConstraint(
                condition=Q(outcome='running', finished_at__isnull=True)
                | (~Q(outcome='running') & Q(finished_at__isnull=False)),
                name='jobrun_finished_at_iff_final',
            ),
        ),
    ]
