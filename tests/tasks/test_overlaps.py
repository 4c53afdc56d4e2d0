"""Overlaps of planned paths on a board where many tasks are held, and many paths are planned."""

from __future__ import annotations

import pytest

from tasks.identity.actor import Actor
from tasks.selectors import overlaps
from tasks.selectors.overlaps import overlaps_of, shared
from tasks.services.claim import claim
from tests.factories import make_project, make_session, make_task


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("*.py", "src/a.py", True),
        ("s[rt]c/**/a.py", "src/deep/a.py", True),
        ("src/*.py", "src/a*.py", True),
        ("src/*", "src", True),
        ("src/a*/b.py", "src/a.py", False),
        ("docs/*.py", "src/*.py", False),
    ],
)
def test_patterns_meet_what_fits_them(one: str, other: str, meets: bool) -> None:
    assert bool(shared([one], [other])) == bool(shared([other], [one])) == meets


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("src/api/*_{}.py", "src/web/*_{}.py"),
        ("src/api/a_{}.py", "src/web/*_{}.py"),
        ("src/api/a_{}.py", "src/api/b_{}.py"),
        ("docs/*_{}.md", "src/b_{}.py"),
    ],
)
def test_a_pattern_is_compared_only_with_what_is_in_its_folder(
    monkeypatch: pytest.MonkeyPatch, path: str, other: str
) -> None:
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(overlaps, "fnmatchcase", lambda *pair: bool(compared.append(pair)))
    for one, two in ((path, other), (other, path)):
        assert shared([one.format(number) for number in range(9)], [two.format(number) for number in range(9)]) == []
    assert compared == []


@pytest.mark.django_db
def test_a_few_of_many_overlaps_are_named_with_a_few_paths_each() -> None:
    project = make_project()
    paths = [f"src/{number}.py" for number in range(9)]
    for number in range(5):
        holder = Actor.assistant(make_session(project, client_name=f"codex-{number}"))
        claim(task=make_task(project, is_ready=True, paths=paths), actor=holder)
    found = overlaps_of(make_task(project, paths=paths))
    assert [each.paths for each in found] == [paths[:5]] * 3
