"""Make the tables of search, the index beside them, and note all that is there already as still to be indexed."""

import django.db.models.deletion
from django.db import migrations, models

# Rows are written by the services; the triggers keep the index true to them, also where the database deletes by
# itself what belongs to a project. Every row counts alike, so nothing needs to know what the words are of.
SQLITE = (
    """
    CREATE VIRTUAL TABLE artifacts_searchindex USING fts5(
        scope, title, body,
        content='artifacts_searchdocument', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE TRIGGER artifacts_searchdocument_added AFTER INSERT ON artifacts_searchdocument BEGIN
        INSERT INTO artifacts_searchindex (rowid, scope, title, body) VALUES (new.id, new.scope, new.title, new.body);
    END
    """,
    """
    CREATE TRIGGER artifacts_searchdocument_removed AFTER DELETE ON artifacts_searchdocument BEGIN
        INSERT INTO artifacts_searchindex (artifacts_searchindex, rowid, scope, title, body)
        VALUES ('delete', old.id, old.scope, old.title, old.body);
    END
    """,
    """
    CREATE TRIGGER artifacts_searchdocument_changed AFTER UPDATE ON artifacts_searchdocument BEGIN
        INSERT INTO artifacts_searchindex (artifacts_searchindex, rowid, scope, title, body)
        VALUES ('delete', old.id, old.scope, old.title, old.body);
        INSERT INTO artifacts_searchindex (rowid, scope, title, body) VALUES (new.id, new.scope, new.title, new.body);
    END
    """,
)
SQLITE_BACK = (
    "DROP TRIGGER artifacts_searchdocument_added",
    "DROP TRIGGER artifacts_searchdocument_removed",
    "DROP TRIGGER artifacts_searchdocument_changed",
    "DROP TABLE artifacts_searchindex",
)
# Stems of English and no stop words, as SQLite's tokenizer has it. Signs become spaces first, because this database
# would take `src/app.py` or `foo-bar` for one word.
POSTGRESQL = (
    "CREATE TEXT SEARCH DICTIONARY orchestrator_stem (TEMPLATE = pg_catalog.snowball, LANGUAGE = english)",
    "CREATE TEXT SEARCH CONFIGURATION orchestrator_words (COPY = pg_catalog.simple)",
    """
    ALTER TEXT SEARCH CONFIGURATION orchestrator_words
        ALTER MAPPING FOR asciiword, word, numword, asciihword, hword, numhword, hword_asciipart, hword_part,
        hword_numpart WITH orchestrator_stem
    """,
    """
    CREATE FUNCTION orchestrator_plain(words text) RETURNS text IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
        SELECT translate(words, '!"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~', '                                ')
    $$
    """,
    """
    ALTER TABLE artifacts_searchdocument ADD COLUMN vector tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('orchestrator_words', orchestrator_plain(title)), 'A')
        || setweight(to_tsvector('orchestrator_words', orchestrator_plain(body)), 'B')
    ) STORED
    """,
    "CREATE INDEX search_document_vector ON artifacts_searchdocument USING gin (vector)",
)
POSTGRESQL_BACK = (
    "ALTER TABLE artifacts_searchdocument DROP COLUMN vector",
    "DROP FUNCTION orchestrator_plain(text)",
    "DROP TEXT SEARCH CONFIGURATION orchestrator_words",
    "DROP TEXT SEARCH DICTIONARY orchestrator_stem",
)
EXISTING = """
    INSERT INTO artifacts_searchbacklog (owner)
    SELECT id * 2 FROM tasks_task UNION ALL SELECT id * 2 + 1 FROM artifacts_artifact
"""


def make_index(apps, schema_editor):
    is_sqlite = schema_editor.connection.vendor == "sqlite"
    for statement in (*(SQLITE if is_sqlite else POSTGRESQL), EXISTING):
        schema_editor.execute(statement, params=None)


def drop_index(apps, schema_editor):
    is_sqlite = schema_editor.connection.vendor == "sqlite"
    for statement in SQLITE_BACK if is_sqlite else POSTGRESQL_BACK:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('artifacts', '0003_uploads'),
        ('tasks', '0003_rest_writes'),
    ]

    operations = [
        migrations.CreateModel(
            name='SearchBacklog',
            fields=[
                ('owner', models.BigIntegerField(primary_key=True, serialize=False)),
            ],
            options={
                'ordering': ['owner'],
            },
        ),
        migrations.CreateModel(
            name='SearchDocument',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('kind', models.CharField(help_text='`task`, or the kind of the artifact.', max_length=16)),
                ('scope', models.CharField(help_text='The same facts as words, for an index that knows only words.', max_length=200)),
                ('offset', models.PositiveBigIntegerField(default=0, help_text='Characters of the work before this piece.')),
                ('title', models.TextField(blank=True)),
                ('body', models.TextField(blank=True)),
                ('artifact', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='artifacts.artifact')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.project')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.task')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.RunPython(make_index, drop_index),
    ]
