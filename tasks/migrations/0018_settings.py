"""The settings of maintenance: a switch for each action instead of a list, and those of handovers in their own section."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import migrations

SWITCHES = ("archive", "purge", "status_documents")
LIMITS = ("stale_hours", "archive_after_days", "purge_after_days")
Settings = dict[str, Any]


def forward(settings: Settings) -> Settings:
    old = settings.get("maintenance", {})
    automatic = old.get("automatic", [])
    new = {name: value for name, value in old.items() if name not in ("automatic", "handover_chars")}
    new |= {name: "act" for name in SWITCHES if name in automatic}
    handover = {"max_chars": int(old["handover_chars"])} if "handover_chars" in old else {}
    handover |= {"prepare": "act"} if "handover" in automatic else {}
    return _with(settings, maintenance=new, handover=handover)


def backward(settings: Settings) -> Settings:
    """Keep what the older version knows; a switch that is off is one that does nothing by itself."""
    new, handover = settings.get("maintenance", {}), settings.get("handover", {})
    automatic = [name for name in SWITCHES if new.get(name) == "act"]
    automatic += ["handover"] if handover.get("prepare") == "act" else []
    old = {name: new[name] for name in LIMITS if name in new}
    old |= {"automatic": automatic} if automatic else {}
    old |= {"handover_chars": handover["max_chars"]} if "max_chars" in handover else {}
    return _with(settings, maintenance=old, handover={})


def _with(settings: Settings, **sections: Settings) -> Settings:
    others = {name: value for name, value in settings.items() if name not in sections}
    return others | {name: section for name, section in sections.items() if section}


def _in_each(convert: Callable[[Settings], Settings]) -> Callable[[Any, Any], None]:
    def run(apps: Any, schema_editor: Any) -> None:
        projects = apps.get_model("tasks", "Project").objects.using(schema_editor.connection.alias)
        for project in projects.exclude(settings={}).only("settings"):
            project.settings = convert(project.settings)
            project.save(update_fields=["settings"])

    return run


class Migration(migrations.Migration):
    dependencies = [("tasks", "0017_chains")]
    operations = [migrations.RunPython(_in_each(forward), _in_each(backward))]
