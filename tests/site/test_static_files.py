"""Static files are hashed, compressed, and kept by browsers for ever."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client

from orchestrator_site.up import static_files
from orchestrator_site.up.static_files import collect_static

OURS = site.BASE_DIR / "orchestrator_site" / "web" / "static" / "orchestrator"
FRAME = ("tokens.css", "site.css")
LINKED = re.compile(r'(?:href|src)="(/static/[^"#]+)')


@pytest.fixture
def linked(client: Client, db: None) -> list[str]:
    return LINKED.findall(client.get("/sign-in/").text)


def test_every_file_of_a_page_is_named_by_its_content_and_immutable(client: Client, linked: list[str]) -> None:
    assert {Path(each).suffix for each in linked} >= {".css", ".js", ".svg", ".woff2"}
    answers = {each: client.get(each) for each in linked}
    assert [each for each, answer in answers.items() if answer.status_code != 200] == []
    assert [each for each, answer in answers.items() if "immutable" not in answer["Cache-Control"]] == []


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_style_sheets_and_scripts_are_compressed(client: Client, linked: list[str], coding: str) -> None:
    answers = {each: client.get(each, headers={"accept-encoding": coding}) for each in linked}
    plain = [each for each, answer in answers.items() if answer.get("Content-Encoding") != coding]
    assert [each for each in plain if each.endswith((".css", ".js"))] == []


def test_files_are_collected_once_for_each_version(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path
    calls = []
    monkeypatch.setattr(static_files, "call_command", lambda *words, **options: calls.append(words))
    collect_static()
    collect_static()
    assert len(calls) == 1
    monkeypatch.setattr(static_files, "_version", lambda: "another")
    collect_static()
    assert len(calls) == 2


def test_a_collection_that_was_killed_is_done_again(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path

    def die(*words: str, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(static_files, "call_command", die)
    with pytest.raises(KeyboardInterrupt):
        collect_static()
    calls = []
    monkeypatch.setattr(static_files, "call_command", lambda *words, **options: calls.append(words))
    collect_static()
    assert len(calls) == 1


def test_the_first_visit_loads_150_kilobytes_at_most(client: Client, linked: list[str]) -> None:
    sizes = [len(client.get(each, headers={"accept-encoding": "br"}).getvalue()) for each in linked]
    family = [file.stat().st_size for file in OURS.glob("*.css") if file.name not in FRAME]
    assert sum(sizes) + sum(family) + 30_000 <= 150_000  # with the sprite, a page's own script and its HTML


def test_all_style_sheets_together_stay_below_60_kilobytes() -> None:
    assert sum(file.stat().st_size for file in OURS.glob("*.css")) <= 60_000
