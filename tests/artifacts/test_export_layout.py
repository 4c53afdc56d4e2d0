"""Which file a work becomes: its path where that can be, and never one that another has."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.export.filenames import ExportedVersion, place_files
from artifacts.paths import normalised

_places = count(1)
HOSTILE = [
    "con",
    "CON.txt",
    "nul",
    "a",
    "A",
    "a.",
    "a ",
    "ä",
    "a\u0308",
    "ß",
    "ss",
    "a:b",
    "x" * 255,
    "ü" * 255,
    "~",
    ".",
]


def work(*paths: str, number: int = 1, is_latest: bool = True, **facts: object) -> ExportedVersion:
    place = next(_places)
    return ExportedVersion(
        place=place,
        artifact_id=str(facts.get("artifact_id", f"artifact_{place:08x}")),
        task_id="task_0000000a",
        kind="code",
        number=number,
        is_latest=is_latest,
        sha256="0" * 64,
        size_bytes=1,
        media_type="text/markdown",
        delivered_at=datetime(2030, 1, 1, tzinfo=UTC),
        content_id=1,
        paths=tuple(sorted(paths)),
    )


def files(*works: ExportedVersion, taken: tuple[str, ...] = ()) -> dict[str, str]:
    return {each.file: each.version.artifact_id for each in place_files(works, taken=taken)}


def test_an_artifact_lies_at_each_of_its_paths_and_without_one_below_its_task() -> None:
    placed, pathless = work("src/main.py", "docs/main.md"), work()
    assert files(placed, pathless) == {
        "docs/main.md": placed.artifact_id,
        "src/main.py": placed.artifact_id,
        f"task_0000000a/{pathless.artifact_id}.md": pathless.artifact_id,
    }


def test_of_two_that_claim_a_path_the_later_has_it_in_any_order() -> None:
    first, second = work("a.py"), work("a.py")
    expected = {"a.py": second.artifact_id, f"a~{first.artifact_id}.py": first.artifact_id}
    assert files(first, second) == files(second, first) == expected


def test_a_file_makes_room_for_a_folder_of_its_name() -> None:
    file, below = work("a"), work("A/b")
    assert files(file, below) == {f"a~{file.artifact_id}": file.artifact_id, "A/b": below.artifact_id}


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("con", "_con~{}"),
        ("src/AUX.c", "src/_AUX~{}.c"),
        ("com1.tar.gz", "_com1.tar~{}.gz"),
        ("lib/name.", "lib/name_~{}"),
        ("lib/name ", "lib/name_~{}"),
        ("nul/a.py", "_nul/a~{}.py"),
        ('a:b*"?.txt', "a_b___~{}.txt"),
        (".artifacts-lock", "_~{}.artifacts-lock"),
    ],
)
def test_a_name_that_some_system_cannot_hold_is_changed_and_marked(path: str, safe: str) -> None:
    only = work(path)
    assert files(only) == {safe.format(only.artifact_id): only.artifact_id}


def test_names_that_are_taken_at_the_top_are_left_to_others_there_alone() -> None:
    index, folder, below = work("artifacts.json"), work("Artifacts.JSON/a"), work("src/artifacts.json")
    assert files(index, folder, below, taken=("artifacts.json",)) == {
        f"_artifacts~{index.artifact_id}.json": index.artifact_id,
        f"_Artifacts.JSON/a~{folder.artifact_id}": folder.artifact_id,
        "src/artifacts.json": below.artifact_id,
    }


def test_names_of_our_own_files_are_left_alone_in_whatever_case() -> None:
    lock = work(".Artifacts-LOCK")
    assert files(lock) == {f"_~{lock.artifact_id}.Artifacts-LOCK": lock.artifact_id}


def test_older_versions_lie_beside_the_latest() -> None:
    old = work("src/a.py", number=1, is_latest=False, artifact_id="artifact_1")
    new = work("src/a.py", number=2, artifact_id="artifact_1")
    assert [each.file for each in place_files([old, new])] == ["src/a.py", "src/a~v1.py"]


def test_a_mark_that_a_person_claimed_as_a_path_is_counted_on() -> None:
    first = work("a.py")
    mark = f"a~{first.artifact_id}"
    thief, second, other = work(f"{mark}.py"), work("a.py"), work(f"{mark}~2.py")
    assert {
        file: owner for file, owner in files(first, thief, second, other).items() if owner == first.artifact_id
    } == {f"{mark}~3.py": first.artifact_id}


def paths() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(HOSTILE[:-1]), min_size=1, max_size=3).map("/".join).map(normalised)


@given(st.lists(st.lists(paths(), max_size=3, unique=True), max_size=8))
def test_every_artifact_gets_all_its_files_and_no_system_takes_two_for_one(given_paths: list[list[str]]) -> None:
    works = [work(*some) for some in given_paths]
    placed = place_files(works, taken=("a",))
    assert sorted((each.version.place, each.path) for each in placed if each.version.paths) == sorted(
        (each.place, path) for each in works for path in each.paths
    )
    keys = [unicodedata.normalize("NFC", unicodedata.normalize("NFD", each.file).casefold()) for each in placed]
    assert len(set(keys)) == len(keys)
    folders = {"/".join(key.split("/")[:depth]) for key in keys for depth in range(1, key.count("/") + 1)}
    assert not folders & set(keys)
    for each in placed:
        names = each.file.split("/")
        assert all(name not in ("", ".", "..") and len(name.encode()) <= 255 for name in names)
        assert all(name[-1] not in ". " and not set(name) & set('<>:"|?*\\') for name in names)
