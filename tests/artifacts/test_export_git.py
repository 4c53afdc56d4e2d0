"""No folder that an export, a mirror or an unpacked zip leaves behind is a repository, whose configuration Git runs."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts.export.contents import versions_in, versions_of
from artifacts.export.filenames import place_files
from artifacts.export.zip_stream import zipped
from artifacts.services.export import export
from artifacts.services.mirror import mirror
from tasks.models import Project, Task
from tests.artifacts.test_export_layout import files, work
from tests.factories import make_artifact, make_project, make_task

HOSTILE = {
    ".git": (".git/HEAD", ".git/config", ".git/objects/info/x", ".git/refs/heads/x.txt"),
    "bare": ("bare/HEAD", "bare/config", "bare/objects/info/x", "bare/refs/heads/x.txt"),
    "top": ("HEAD", "config", "objects/info/x", "refs/heads/x.txt"),
    "shared": ("s/HEAD", "s/commondir", "t/config", "t/objects/info/x", "t/refs/heads/x.txt"),
    "file": ("f/.git", "g/HEAD", "g/config", "g/objects/x", "g/refs/x"),
}

UNSEEN = "\u034f\u115f\u1160\u17b4\u180b\u180f\u2065\u3164\ufe00\ufe0f\uffa0\ufff0\ufff8\U000e0101\U000e0fff"
"""Of each range of characters that do not show, besides those that steer."""


@pytest.fixture
def project(db: None, folder: Path) -> Project:
    return make_project("shop", root_path=str(folder))


def deliver(task: Task, paths: tuple[str, ...], ran: Path) -> None:
    contents = {"HEAD": "ref: refs/heads/x\n", "commondir": "../t\n", ".git": "gitdir: ../g\n"}
    contents["config"] = f'[core]\nrepositoryformatversion = 0\nworktree = "/"\nfsmonitor = "touch {ran}; false"\n'
    for path in paths:
        make_artifact(task, contents.get(path.rpartition("/")[2], "x"), paths=[path])


def exported(project: Project, out: Path) -> None:
    export(project=project, versions=versions_in(project), folder=out)


def exported_in_parts(project: Project, out: Path) -> None:
    for task in project.tasks.all():
        export(project=project, versions=versions_of(task), folder=out)


def mirrored(project: Project, out: Path) -> None:
    mirror(project=project)


def zipped_in_parts(project: Project, out: Path) -> None:
    for task in project.tasks.all():
        packed = io.BytesIO(b"".join(zipped(place_files(versions_of(task)))))
        zipfile.ZipFile(packed).extractall(out)


@pytest.mark.parametrize("write", [exported, exported_in_parts, mirrored, zipped_in_parts])
def test_git_runs_nothing_of_what_was_delivered(
    project: Project, tmp_path: Path, write: Callable[[Project, Path], None]
) -> None:
    out, ran = tmp_path / "out", tmp_path / "ran"
    out.mkdir()
    for paths in HOSTILE.values():
        deliver(make_task(project), paths[:1], ran)
        deliver(make_task(project), paths[1:], ran)
    write(project, out)
    written = [Path(top) for start in (out, Path(project.root_path)) for top, _, _ in os.walk(start)]
    assert len(written) > 10
    above = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    for each in written:
        found = subprocess.run(["git", "rev-parse", "--git-dir"], cwd=each, env=above, capture_output=True, check=False)
        assert found.returncode, f"{each} is a repository"


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        ".GIT",
        ".git.",
        ".git . ",
        ".git\u200c",
        ".g\u200dit",
        ".g\u200bit",
        "\ufeff.git",
        ".gi\u202et",
        ".git\u206f",
        ".git:stream",
        ".git::$INDEX_ALLOCATION",
        ".git\\config",
        "git~1",
        "GIT~1",
        "git~1.",
        "\uff0egit",
        "\u2024git",
        ".hg",
        "HG~1",
        *(f".g{char}it" for char in UNSEEN),
        *(f".git{char}" for char in UNSEEN),
        ".git" + "\u200c" * 100 + "x",
        ".git" + "\ufe0f" * 100 + ".txt-that-is-too-long-for-a-suffix",
    ],
)
@pytest.mark.parametrize("path", ["{}/config", "src/{}/config", "src/{}"])
def test_no_spelling_of_gits_folder_is_a_name(name: str, path: str) -> None:
    only = work(path.format(name))
    (file,) = files(only)
    assert only.artifact_id in file
    assert file.split("/")[path.split("/").index("{}")].startswith("_")


@pytest.mark.parametrize(
    "path", [".gitignore", ".gitattributes", ".gitmodules", ".github/workflows/ci.yml", "a.git", "HEAD.md", "git~x"]
)
def test_names_that_run_nothing_stay(path: str) -> None:
    assert set(files(work(path))) == {path}


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\u200f", "\x85", "\x9b", "\x1b", "\u2028", "\ufeff", "\u00ad"])
def test_characters_that_steer_or_do_not_show_are_replaced(char: str) -> None:
    only = work(f"a{char}b/c{char}d.txt")
    assert set(files(only)) == {f"a_b/c_d~{only.artifact_id}.txt"}


def test_scripts_that_need_joiners_keep_them_but_two_names_never_differ_by_one_alone() -> None:
    plain, joined = work("\u0645\u06cc\u062e.md"), work("\u0645\u06cc\u200c\u062e.md")
    assert len(files(plain, joined)) == 2
    assert "\u0645\u06cc\u200c\u062e.md" in files(plain, joined)


def test_names_that_differ_only_by_what_does_not_show_are_kept_apart() -> None:
    plain, heart = work("\u2764.md"), work("\u2764\ufe0f.md")
    assert len(files(plain, heart)) == 2
    assert {"\u2764.md", "\u2764\ufe0f.md"} - set(files(plain, heart))


@pytest.mark.parametrize("char", UNSEEN)
def test_a_head_with_what_does_not_show_is_none(char: str) -> None:
    (file,) = files(work(f"bare/HEAD{char}"))
    assert file.startswith("bare/_")
