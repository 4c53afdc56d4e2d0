"""Roles from YAML: the good ones are used, every broken one is named with file, line and key."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from socket import AF_UNIX, socket

import pytest

from tasks import roles
from tasks.models import Project
from tests.factories import make_project

PACKAGED = {"architect", "implementer", "debugger", "documenter", "reviewer", "tester", "researcher"}

BROKEN = {
    "not yaml": ("a: [1", ": not valid YAML"),
    "a list": ("- a\n", "line 1: "),
    "a bad name": ("Bad Name:\n  role_definition: x\n", "line 1: Bad Name: "),
    "no definition": ("a:\n  expertise: [x]\n", "line 1: a: role_definition "),
    "an unknown key": ("a:\n  role_definition: x\n  skill: y\n", "line 3: a: unknown key skill"),
    "a text for a list": ("a:\n  role_definition: x\n  expertise: y\n", "line 3: a: expertise "),
    "a list for a text": ("a:\n  role_definition: [x]\n", "line 2: a: role_definition "),
    "a nested list": ("a:\n  role_definition: x\n  approach: [[y]]\n", "line 3: a: approach "),
    "a role that is a text": ("a: x\n", "line 1: a: "),
    "nested too deeply": ("[" * 50_000, "line 1: "),
    "a role that is there twice": ("a: {role_definition: x}\na: {role_definition: y}\n", "line 2: a: "),
    "a NUL": ('a: {role_definition: "x\\0y"}\n', "line 1: a: role_definition "),
    "a key that is a list": ("? [a, b]\n: x\n", "line 1: a list or mapping: "),
    "a control character": ("a: \x01", "not valid YAML"),
}


@pytest.fixture
def project(db: None, tmp_path: Path) -> Project:
    (tmp_path / ".task_orchestrator" / "roles").mkdir(parents=True)
    return make_project(root_path=str(tmp_path))


def write(project: Project, name: str, text: str) -> Path:
    path = Path(project.root_path) / ".task_orchestrator" / "roles" / name
    path.write_text(text)
    return path


def test_the_packaged_roles_are_complete(project: Project) -> None:
    found = roles.catalogue(project).roles
    assert set(found) == PACKAGED
    assert all(
        role.role_definition and role.expertise and role.approach and role.output_format for role in found.values()
    )


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named_with_its_line(case: str) -> None:
    text, expected = BROKEN[case]
    found, problems = roles.parse(text, file="roles.yaml")
    assert len(found) == (case == "a role that is there twice")
    assert problems[0].startswith("roles.yaml")
    assert expected in problems[0]


def test_one_broken_role_does_not_hide_the_others(project: Project) -> None:
    write(project, "a.yaml", "good:\n  role_definition: x\nbad:\n  skill: y\n")
    catalogue = roles.catalogue(project)
    assert "good" in catalogue.roles
    assert "bad" not in catalogue.roles
    assert len(catalogue.problems) == 1


def test_roles_are_looked_up_role_by_role(project: Project) -> None:
    write(project, "a.yaml", "tester:\n  role_definition: Mine\n")
    found = roles.catalogue(project).roles
    assert found["tester"].role_definition == "Mine"
    assert set(found) == PACKAGED


def test_of_two_files_the_first_by_name_wins(project: Project) -> None:
    write(project, "b.yaml", "tester: {role_definition: Second}\n")
    write(project, "a.yml", "tester: {role_definition: First}\n")
    assert roles.catalogue(project).roles["tester"].role_definition == "First"


def test_an_edit_takes_effect_on_the_next_call(project: Project) -> None:
    write(project, "a.yaml", "tester: {role_definition: One}\n")
    assert roles.catalogue(project).roles["tester"].role_definition == "One"
    write(project, "a.yaml", "tester: {role_definition: Another}\n")
    assert roles.catalogue(project).roles["tester"].role_definition == "Another"


def test_the_ancestors_entry_for_the_planner_itself_is_passed_over(project: Project) -> None:
    write(project, "a.yaml", "task_orchestrator:\n  role_definition: x\n  specialist_roles: {}\n")
    catalogue = roles.catalogue(project)
    assert catalogue.problems == []
    assert "task_orchestrator" not in catalogue.roles


def roles_folder(project: Project) -> Path:
    return Path(project.root_path) / ".task_orchestrator" / "roles"


def link_to(target: Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def socket_at(path: Path) -> None:
    with socket(AF_UNIX) as server, chdir(path.parent):  # a socket's address is short
        server.bind(path.name)


@pytest.mark.parametrize(
    "put",
    [
        os.mkfifo,
        os.mkdir,
        socket_at,
        link_to(Path("a.yaml")),
        link_to(Path("b.yml")),
        link_to(Path("/dev/zero")),
        link_to(Path("/etc/hostname")),
        link_to(Path("no-such-file")),
    ],
    ids=["a pipe", "a folder", "a socket", "itself", "another role file", "a device", "outside", "nothing"],
)
@pytest.mark.timeout(20)
def test_what_is_no_plain_file_is_reported_and_not_read(project: Project, put: Callable[[Path], None]) -> None:
    write(project, "b.yml", "baker: {role_definition: x}\n")
    put(roles_folder(project) / "a.yaml")
    catalogue = roles.catalogue(project)
    assert set(catalogue.roles) == PACKAGED | {"baker"}
    assert len(catalogue.problems) == 1 and "a.yaml" in catalogue.problems[0]


@pytest.mark.parametrize("name", [".task_orchestrator", ".task_orchestrator/roles"])
@pytest.mark.parametrize("put", [os.mkfifo, link_to(Path("roles")), link_to(Path("../elsewhere"))])
@pytest.mark.timeout(20)
def test_a_folder_of_roles_that_is_none_is_reported_and_not_entered(
    project: Project, name: str, put: Callable[[Path], None]
) -> None:
    root = Path(project.root_path)
    write(project, "a.yaml", "thief: {role_definition: x}\n")
    (root / ".task_orchestrator").rename(root / "elsewhere")
    if "/" in name:
        (root / ".task_orchestrator").mkdir()
    put(root / name)
    catalogue = roles.catalogue(project)
    assert set(catalogue.roles) == PACKAGED
    assert len(catalogue.problems) == 1


def test_a_file_that_grows_while_it_is_read_is_cut_at_the_limit(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(project, "a.yaml", "tester: {role_definition: x}\n")
    reads: list[int] = []
    stat = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        found = stat(descriptor)
        if not reads:
            path.write_text("#" * 1_000_000)
        reads.append(found.st_size)
        return found

    monkeypatch.setattr("orchestrator_site.kernel.folders.os.fstat", growing)
    assert set(roles.catalogue(project).roles) == PACKAGED
    assert reads


def test_names_of_files_are_shown_plain(project: Project) -> None:
    for name in (b"\xff.yaml", b"a\x1b[31m\n.yaml", "\u202egnp.yaml".encode()):
        (roles_folder(project) / os.fsdecode(name)).write_text("[")
    problems = roles.catalogue(project).problems
    assert len(problems) == 3
    assert all(problem.isprintable() and problem.encode() for problem in problems)


def test_more_files_than_are_read_are_reported(project: Project) -> None:
    for number in range(roles.BOUNDS.files + 1):
        write(project, f"{number:03}.yaml", f"role-{number}: {{role_definition: x}}\n")
    catalogue = roles.catalogue(project)
    assert len(catalogue.roles) == len(PACKAGED) + roles.BOUNDS.files
    assert len(catalogue.problems) == 1


def test_a_file_that_is_too_large_or_no_text_is_reported(project: Project) -> None:
    write(project, "a.yaml", "#" * 300_000)
    (Path(project.root_path) / ".task_orchestrator" / "roles" / "b.yaml").write_bytes(b"\xff\xfe\x00")
    problems = " ".join(roles.catalogue(project).problems)
    assert "larger than 256 kB" in problems
    assert "not UTF-8" in problems


def test_aliases_do_not_blow_up(project: Project) -> None:
    lines = ["a: &a [x, x]", *[f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]" for n in range(20)]]
    write(project, "a.yaml", "\n".join(lines))
    assert len(roles.catalogue(project).problems) == 21


def test_a_folder_that_is_gone_has_no_roles_of_its_own(db: None) -> None:
    assert set(roles.catalogue(make_project(root_path="/no/such/folder")).roles) == PACKAGED


def test_all_files_together_are_bounded_and_the_first_ones_are_read(project: Project) -> None:
    padding = "#" * 200_000
    for name in "abcd":
        write(project, f"{name}.yaml", f"role-{name}: {{role_definition: x}}\n{padding}\n")
    catalogue = roles.catalogue(project)
    assert set(catalogue.roles) == PACKAGED | {"role-a", "role-b"}
    assert [problem.partition(":")[0][-6:] for problem in catalogue.problems] == ["d.yaml", "c.yaml"]


def test_the_problems_of_a_file_are_bounded() -> None:
    _, problems = roles.parse("".join(f"Bad {number}: x\n" for number in range(1000)), file="a.yaml")
    assert len(problems) == roles.PROBLEMS_LIMIT + 1
    assert str(2000 - roles.PROBLEMS_LIMIT) in problems[-1]


def test_names_in_a_file_are_shown_plain() -> None:
    _, problems = roles.parse('"a\\e[31m": x\nb: {"\\u202ekey": x}\n', file="a.yaml")
    assert len(problems) == 3
    assert all(problem.isprintable() for problem in problems)
