"""What of a migration removes or narrows, and so waits for a person."""

from __future__ import annotations

import pytest
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from maintenance.upgrades.plan import harms_of

NAME = models.CharField(max_length=20, null=True)


def harms(*operations: Operation) -> list[str]:
    """Judge operations on an app with one table."""
    state = ProjectState()
    fields = [("id", models.BigAutoField(primary_key=True)), ("name", NAME), ("size", models.IntegerField())]
    state.add_model(ModelState("shop", "Order", fields))
    migration = migrations.Migration("0002_next", "shop")
    migration.operations = list(operations)
    return list(harms_of(migration, state, set()))


def alter(name: str, field: models.Field) -> Operation:  # type: ignore[type-arg]
    return migrations.AlterField("Order", name, field)


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("Order", "name"),
        migrations.DeleteModel("Order"),
        migrations.RunSQL("UPDATE shop_order SET size = 1"),
        migrations.SeparateDatabaseAndState([migrations.RemoveField("Order", "name")]),
        alter("name", models.CharField(max_length=10, null=True)),
        alter("name", models.CharField(max_length=20)),
        alter("name", models.CharField(max_length=20, null=True, unique=True)),
        alter("name", models.IntegerField(null=True)),
        alter("size", models.SmallIntegerField()),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_removes_or_narrows_is_named(operation: Operation) -> None:
    assert len(harms(operation)) == 1


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("Order", "place", models.CharField(max_length=20, default="")),
        migrations.RenameField("Order", "name", "title"),
        migrations.RunSQL(migrations.RunSQL.noop, "UPDATE shop_order SET size = 1"),
        migrations.RunPython(migrations.RunPython.noop),
        alter("name", models.CharField(max_length=30, null=True, help_text="Longer.")),
        alter("name", models.TextField(null=True)),
        alter("size", models.BigIntegerField(null=True)),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_keeps_everything_is_not(operation: Operation) -> None:
    assert harms(operation) == []


def test_a_table_of_the_same_upgrade_has_nothing_to_lose() -> None:
    fields = [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]
    made = migrations.CreateModel("Draft", fields)
    assert harms(made, migrations.RemoveField("Draft", "name"), migrations.RenameModel("Draft", "Note"),
                 migrations.DeleteModel("Note")) == []  # fmt: skip


def test_a_table_that_is_renamed_first_is_still_one_to_lose() -> None:
    assert len(harms(migrations.RenameModel("Order", "Sale"), migrations.DeleteModel("Sale"))) == 1
