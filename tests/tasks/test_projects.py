"""Which project a connection stands in: what is said first, then what clients tell, then what the folder shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from orchestrator_site.kernel.errors import Forbidden, Invalid
from orchestrator_site.kernel.identity import Principal, Scope
from tasks.identity.actor import Actor
from tasks.models import Event, Project, ProjectPath
from tasks.repositories import is_unfit
from tasks.services.edit_project import create_project
from tasks.services.projects import CLIENT_VARIABLES, find_folder, find_root, project_at
from tests.factories import make_task


def git(folder: Path, *command: str) -> None:
    settings = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *settings, *command], cwd=folder, check=True, capture_output=True)


def make_repository(folder: Path) -> Path:
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return folder


def found(working_directory: Path, **environ: str) -> Project:
    """Return the project of an assistant that was started in a folder."""
    return project_at(find_folder(explicit=None, environ=environ, working_directory=str(working_directory)))


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Folders, one for each way to tell."""
    made = {name: tmp_path / name for name in ("explicit", "own", *CLIENT_VARIABLES, "repository", "plain")}
    for path in made.values():
        path.mkdir()
    make_repository(made["repository"])
    (made["repository"] / "src" / "deep").mkdir(parents=True)
    return made


def test_the_order_of_telling(places: dict[str, Path]) -> None:
    environ = {"ORCHESTRATOR_PROJECT_DIR": str(places["own"])}
    environ |= {name: str(places[name]) for name in CLIENT_VARIABLES}
    cwd = str(places["repository"] / "src" / "deep")
    explicit: str | None = str(places["explicit"])
    reported = []
    for forget in (None, "ORCHESTRATOR_PROJECT_DIR", *CLIENT_VARIABLES):
        reported.append(find_root(explicit=explicit, environ=environ, working_directory=cwd).name)
        explicit = None
        environ.pop(forget or "", None)
    reported.append(find_root(explicit=None, environ=environ, working_directory=cwd).name)
    assert reported == ["explicit", "own", *CLIENT_VARIABLES, "repository"]


def test_a_folder_without_git_is_the_project_itself(places: dict[str, Path]) -> None:
    assert find_root(explicit=None, environ={}, working_directory=str(places["plain"])) == places["plain"]


def test_the_products_own_folder_is_never_guessed() -> None:
    for folder in (settings.BASE_DIR, settings.BASE_DIR / "tasks"):
        with pytest.raises(Invalid, match="project"):
            find_root(explicit=None, environ={}, working_directory=str(folder))


def test_a_variable_of_a_client_that_names_no_folder_is_passed_over(places: dict[str, Path]) -> None:
    environ = {"CLAUDE_PROJECT_DIR": "/no/such/folder", "VSCODE_CWD": "relative"}
    assert find_root(explicit=None, environ=environ, working_directory=str(places["plain"])) == places["plain"]


def test_our_own_variable_must_name_a_folder(places: dict[str, Path]) -> None:
    with pytest.raises(Invalid, match="ORCHESTRATOR_PROJECT_DIR"):
        find_root(
            explicit=None,
            environ={"ORCHESTRATOR_PROJECT_DIR": "/no/such/folder"},
            working_directory=str(places["plain"]),
        )


def test_a_link_and_its_target_are_one_project(db: None, places: dict[str, Path], tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(places["plain"])
    roots = {find_root(explicit=str(path), environ={}, working_directory="") for path in (link, places["plain"])}
    assert len(roots) == 1


def test_a_project_is_made_once(db: None, tmp_path: Path) -> None:
    assert project_at(tmp_path) == project_at(tmp_path)
    assert Project.objects.count() == 1


@pytest.mark.parametrize(("name", "slug"), [("My Shop!", "my-shop"), ("漢字", "project"), ("x" * 200, "x" * 70)])
def test_any_folder_name_makes_a_slug(db: None, tmp_path: Path, name: str, slug: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    assert project_at(folder).slug == slug


def test_the_root_of_the_file_system_has_a_name_too(db: None) -> None:
    assert project_at(Path("/")).name == "root"


# A project is its repository


@pytest.fixture
def shop(db: None, tmp_path: Path) -> Path:
    """Return the folder of a real repository."""
    folder = tmp_path / "shop"
    (folder / "packages" / "api").mkdir(parents=True)
    git(folder, "init")
    git(folder, "commit", "--allow-empty", "-m", "Begin")
    return folder


@pytest.mark.parametrize("start", ["", "packages", "packages/api"])
def test_subfolders_are_on_the_board_of_their_repository(shop: Path, start: str) -> None:
    board = found(shop)
    assert found(shop / start) == board
    for name in ("ORCHESTRATOR_PROJECT_DIR", *CLIENT_VARIABLES):
        assert found(shop.parent, **{name: str(shop / start)}) == board
    assert project_at(find_folder(explicit=str(shop / start), environ={}, working_directory="")) == board
    assert board.root_path == str(shop)


@pytest.mark.parametrize("first", ["shop", "wt", "wt/sub"])
def test_a_worktree_is_on_the_board_of_its_repository(shop: Path, first: str) -> None:
    git(shop, "worktree", "add", "../wt")
    (shop.parent / "wt" / "sub").mkdir()
    board = found(shop.parent / first)
    assert {found(shop.parent / each) for each in ("shop", "wt", "wt/sub")} == {board}
    assert (board.slug, board.root_path) == ("shop", str(shop))


@pytest.mark.parametrize("bare", ["shop.git", "home/.bare"])
def test_worktrees_of_a_bare_repository_share_a_board(shop: Path, bare: str) -> None:
    top = shop.parent
    git(top, "clone", "--bare", "shop", bare)
    git(top / bare, "worktree", "add", str(top / "one"))
    git(top / bare, "worktree", "add", "-b", "two", str(top / "two"))
    assert found(top / "one") == found(top / "two") != found(shop)


def _elsewhere(top: Path) -> Path:
    """Make a repository that is kept apart from its working tree."""
    (top / "store").mkdir()
    git(top, "init", "--separate-git-dir", "store/shop.git", "kept")
    return top / "kept"


def _linked(top: Path) -> Path:
    """Make one whose `.git` is a link, as the `repo` tool does."""
    git(top, "init", "kept")
    (top / "store").mkdir()
    (top / "kept" / ".git").rename(top / "store" / "shop.git")
    (top / "kept" / ".git").symlink_to("../store/shop.git")
    return top / "kept"


def _submodule(top: Path) -> Path:
    git(top / "shop", "-c", "protocol.file.allow=always", "submodule", "add", str(top / "shop"), "sub")
    return top / "shop" / "sub"


@pytest.mark.parametrize("is_worktree_first", [False, True])
@pytest.mark.parametrize("make", [_elsewhere, _linked, _submodule])
def test_a_worktree_of_a_repository_that_is_kept_elsewhere_is_on_its_board(
    shop: Path, make: Callable[[Path], Path], is_worktree_first: bool
) -> None:
    main, worktree = make(shop.parent), shop.parent / "wt"
    git(main, "commit", "--allow-empty", "-m", "Begin")
    git(main, "worktree", "add", str(worktree))
    (worktree / "sub").mkdir()
    folders = [main, worktree, worktree / "sub"]
    assert len({found(each) for each in (reversed(folders) if is_worktree_first else folders)}) == 1
    assert found(worktree.rename(shop.parent / "moved")) == found(main) != found(shop)


@pytest.mark.parametrize("visits", [["wt", "renamed"], ["renamed", "wt"]])
def test_a_worktree_is_on_the_board_of_its_repository_after_that_was_renamed(shop: Path, visits: list[str]) -> None:
    board, worktree = found(shop), shop.parent / "wt"
    make_task(board)
    git(shop, "worktree", "add", "../wt")
    renamed = shop.rename(shop.parent / "renamed")
    met = {name: found(shop.parent / name) for name in visits}
    git(renamed, "worktree", "repair", str(worktree))
    assert found(worktree) == met["renamed"] == board
    assert (met["wt"] == board) is (visits[0] == "wt")


def test_a_board_in_a_worktree_that_has_tasks_or_that_a_person_made_is_kept(shop: Path) -> None:
    make_task(found(shop))
    ada = Actor(kind="person", name="ada")
    for name in ("used", "made"):
        git(shop, "worktree", "add", f"../{name}")
    used = Project.objects.create(name="used", slug="used", root_path=str(shop.parent / "used"))
    made = create_project(actor=ada, name="made", root_path=str(shop.parent / "made"))
    make_task(used)
    assert (found(shop.parent / "used"), found(shop.parent / "made")) == (used, made)


def test_a_worktree_of_a_repository_in_the_place_of_its_own_is_not_on_that_ones_board(shop: Path) -> None:
    git(shop, "worktree", "add", "../wt")
    shop.rename(shop.parent / "renamed")
    assert found(make_repository(shop)) != found(shop.parent / "wt")


def test_a_copy_of_a_worktree_is_a_project_of_its_own_like_any_copy(shop: Path) -> None:
    git(shop, "worktree", "add", "../wt")
    board = found(shop.parent / "wt")
    shutil.copytree(shop.parent / "wt", shop.parent / "copy")
    assert found(shop.parent / "copy") != board == found(shop.parent / "wt")


def test_a_worktree_that_was_moved_by_hand_is_still_its_repositorys(shop: Path) -> None:
    git(shop, "worktree", "add", "../wt")
    board = found(shop)
    (shop.parent / "wt").rename(shop.parent / "moved")
    assert found(shop.parent / "moved") == board


def test_a_submodule_and_a_clone_are_repositories_of_their_own(shop: Path) -> None:
    git(shop.parent, "clone", "shop", "clone")
    git(shop, "-c", "protocol.file.allow=always", "submodule", "add", str(shop.parent / "clone"), "sub")
    assert len({found(shop), found(shop.parent / "clone"), found(shop / "sub")}) == 3


def test_a_folder_cannot_say_that_it_is_another_repositorys_worktree(shop: Path) -> None:
    git(shop, "worktree", "add", "../wt")
    board = found(shop)
    for number, target in enumerate((shop / ".git" / "worktrees" / "wt", shop / ".git")):
        thief = shop.parent / f"thief-{number}"
        thief.mkdir()
        (thief / ".git").write_text(f"gitdir: {target}\n")
        assert found(thief) != board


def _empty(git: Path) -> None:
    git.mkdir()


def _text(git: Path) -> None:
    git.write_text("nothing of the kind\n")


def _loop(git: Path) -> None:
    git.symlink_to(git.name)


def _endless(git: Path) -> None:
    git.symlink_to("/dev/zero")


def _nul(git: Path) -> None:
    git.write_bytes(b"gitdir: \x00\xff\n")


def _head_in_the_way(git: Path) -> None:
    (git / "HEAD").mkdir(parents=True)


@pytest.mark.parametrize("put", [_empty, _text, _loop, _endless, os.mkfifo, _head_in_the_way])
@pytest.mark.timeout(20)
def test_what_is_called_git_but_is_no_repository_is_nothing(
    db: None, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    put(tmp_path / ".git")
    assert found(inner).root_path == str(inner)


def test_a_pointer_that_leads_nowhere_makes_its_folder_a_project(db: None, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    _nul(tmp_path / ".git")
    assert found(tmp_path / "src").root_path == str(tmp_path)


def test_git_is_not_looked_for_above_its_ceilings(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = make_repository(tmp_path) / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert found(inner).root_path == str(inner)


# ... and not a path


@pytest.mark.parametrize("is_repository", [True, False])
def test_a_project_is_found_again_after_its_folder_was_renamed(db: None, tmp_path: Path, is_repository: bool) -> None:
    folder = tmp_path / "shop"
    make_repository(folder) if is_repository else folder.mkdir()
    board = found(folder)
    renamed = folder.rename(tmp_path / "elsewhere")
    assert found(renamed) == board
    assert Project.objects.get().root_path == str(renamed)
    assert Event.objects.get().after == {"root_path": str(renamed)}


def test_a_folder_that_held_it_may_be_renamed_too(db: None, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "a" / "shop")
    board = found(folder)
    (tmp_path / "a").rename(tmp_path / "b")
    assert found(tmp_path / "b" / "shop") == board


def test_two_folders_that_swap_their_names_keep_their_boards(db: None, tmp_path: Path) -> None:
    one, two = (make_repository(tmp_path / name) for name in ("one", "two"))
    boards = found(one), found(two)
    one.rename(tmp_path / "other")
    two.rename(one)
    (tmp_path / "other").rename(two)
    assert (found(two), found(one)) == boards
    assert {str(one), str(two)} == {each.root_path for each in Project.objects.all()}


def test_a_folder_that_another_project_knew_is_that_of_the_project_that_moved_there(db: None, tmp_path: Path) -> None:
    board, target = found(make_repository(tmp_path / "shop")), tmp_path / "target"
    ProjectPath.objects.create(project=found(make_repository(tmp_path / "other")), path=target)
    assert found((tmp_path / "shop").rename(target)) == board
    assert not ProjectPath.objects.exists()


def test_a_new_folder_in_the_place_of_a_renamed_one_is_a_new_project(db: None, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "shop")
    board = found(folder)
    folder.rename(tmp_path / "old")
    assert found(tmp_path / "old") == board
    assert found(make_repository(folder)) != board


def test_a_copy_is_a_project_of_its_own_and_so_is_each_after_a_move(db: None, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "shop")
    board = found(folder)
    shutil.copytree(folder, tmp_path / "copy")
    copied = found(tmp_path / "copy")
    assert found(folder) == board != copied
    (tmp_path / "copy").rename(tmp_path / "moved")
    assert found(tmp_path / "moved") == copied


def test_one_folder_under_two_paths_is_one_project(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second mount shows the same files under another path, perhaps on another device."""
    folder, mount = make_repository(tmp_path / "shop"), make_repository(tmp_path / "mount")
    board = found(folder)
    mark = folder / ".task_orchestrator" / "local" / "project"
    (mount / ".task_orchestrator" / "local").mkdir(parents=True)
    (mount / ".task_orchestrator" / "local" / "project").hardlink_to(mark)
    assert found(mount) == found(folder) == board
    assert Project.objects.get().root_path == str(folder)


def test_one_folder_under_two_paths_is_one_project_also_without_a_mark(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mount = make_repository(tmp_path / "shop"), make_repository(tmp_path / "mount")
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: stat(folder if path == mount else path, **more))
    token = Principal("ada/laptop", frozenset({Scope.READ, Scope.WRITE}), token_id="token_1")
    board = project_at(folder, token)
    assert project_at(mount, token) == project_at(folder, token) == board
    assert [each.path for each in board.paths.all()] == [str(mount)]


def test_a_board_goes_on_where_a_repository_is_made_above_it(db: None, tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    (inner / "src").mkdir(parents=True)
    board = found(inner)
    make_repository(tmp_path)
    assert found(inner) == found(inner, CLAUDE_PROJECT_DIR=str(inner)) == board
    (inner / ".git").mkdir()
    assert found(inner / "src") == board
    tmp_path.joinpath("a").rename(tmp_path / "c")
    assert found(tmp_path / "c" / "b" / "src") == board


def test_a_further_path_of_a_project_is_known(db: None, tmp_path: Path) -> None:
    folder, other = make_repository(tmp_path / "shop"), make_repository(tmp_path / "other")
    board = found(folder)
    ProjectPath.objects.create(project=board, path=str(other))
    assert found(other) == board


def test_the_mark_is_hidden_from_git(shop: Path) -> None:
    found(shop)
    seen = subprocess.run(["git", "status", "--porcelain"], cwd=shop, check=True, capture_output=True)
    assert seen.stdout == b""


def test_a_project_is_found_again_after_its_folder_was_cleaned_and_renamed(shop: Path) -> None:
    board = found(shop)
    mark = Project.objects.get().mark
    git(shop, "clean", "-fdx")
    assert found(shop) == board
    assert Project.objects.get().mark == mark
    assert found(shop.rename(shop.parent / "renamed")) == board


@pytest.mark.parametrize("put", [os.mkfifo, _loop, _text, lambda path: path.symlink_to("../elsewhere")])
@pytest.mark.parametrize("name", [".task_orchestrator", ".task_orchestrator/local", ".task_orchestrator/local/project"])
@pytest.mark.timeout(20)
def test_what_lies_in_the_place_of_a_mark_does_no_harm(
    db: None, tmp_path: Path, put: Callable[[Path], None], name: str
) -> None:
    folder, elsewhere = tmp_path / "shop", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / name).parent.mkdir(parents=True)
    put(folder / name)
    assert found(folder) == found(folder)
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_a_project_by_its_path(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError

    monkeypatch.setattr("orchestrator_site.kernel.folders.os.mkdir", refuse)
    assert found(tmp_path) == found(tmp_path)
    assert not (tmp_path / ".task_orchestrator").exists()


def test_tokens_leave_nothing_in_the_folders_that_they_name(db: None, tmp_path: Path) -> None:
    token = Principal("ada/laptop", frozenset({Scope.READ, Scope.WRITE}), token_id="token_1")
    assert project_at(tmp_path, token) == project_at(tmp_path, token)
    assert list(tmp_path.iterdir()) == []


# Who makes a project, and where


def test_readers_make_no_project_and_move_none(db: None, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    reader = Principal("ada", frozenset({Scope.READ}))
    with pytest.raises(Forbidden):
        project_at(folder, reader)
    assert list(folder.iterdir()) == [] and not Project.objects.exists()
    board = found(folder)
    assert project_at(folder.rename(tmp_path / "moved"), reader) == board
    assert Project.objects.get().root_path == str(folder)


@pytest.fixture
def home(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "users" / "ada"
    (path / "notes" / "2030").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(path))
    return path


@pytest.mark.parametrize("place", ["", "..", "/"])
def test_the_home_folder_and_those_above_are_no_projects(home: Path, place: str) -> None:
    folder = (home / place).resolve()
    for explicit, environ in ((None, {}), (str(folder), {}), (None, {"ORCHESTRATOR_PROJECT_DIR": str(folder)})):
        with pytest.raises(Invalid) as raised:
            find_folder(explicit=explicit, environ=environ, working_directory=str(folder))
        assert raised.value.hint == "name_project"


SYSTEM = ["/var", "/usr", "/usr/bin", "/etc", "/mnt", "/var/tmp", "/dev/shm", "/opt"]
DESKTOP = [".cache", ".config/Claude", "AppData/Local/Programs", "Library/Application Support/Claude"]


@pytest.mark.parametrize("place", [*SYSTEM, *DESKTOP])
def test_the_folders_of_a_system_and_its_desktop_are_no_projects(home: Path, place: str) -> None:
    folder = home / place
    folder.mkdir(parents=True, exist_ok=True) if place in DESKTOP else None
    for explicit, environ in ((None, {}), (str(folder), {}), (None, {"ORCHESTRATOR_PROJECT_DIR": str(folder)})):
        with pytest.raises(Invalid) as raised:
            find_folder(explicit=explicit, environ=environ, working_directory=str(folder))
        assert raised.value.hint == "name_project"
    assert found(home / "notes", CLAUDE_PROJECT_DIR=str(folder)).root_path == str(home / "notes")


@pytest.mark.parametrize("place", ["/usr/src/app", "/mnt/disk", "/opt/shop", "/srv/shop", "/var/www/shop", "/app"])
def test_a_folder_where_systems_have_room_for_projects_may_be_one(place: str) -> None:
    assert not is_unfit(Path(os.path.realpath(place)))


def test_the_temporary_folder_is_no_project_but_those_in_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent/ada")
    assert (is_unfit(Path(os.path.realpath(tempfile.gettempdir()))), is_unfit(tmp_path)) == (True, False)


@pytest.mark.parametrize("name", ["SystemRoot", "ProgramFiles"])
def test_the_system_folders_of_windows_are_no_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path))
    assert is_unfit(tmp_path) and is_unfit(tmp_path / "System32")


@pytest.mark.parametrize("place", [".config/editor", "Library/shop", ".."])
def test_a_repository_is_a_project_wherever_it_lies(home: Path, place: str) -> None:
    folder = make_repository((home / place).resolve())
    (folder / "src").mkdir()
    assert found(folder) == found(folder / "src") == found(home, CLAUDE_PROJECT_DIR=str(folder))
    assert Project.objects.get().root_path == str(folder)


def test_a_variable_of_a_client_that_names_the_home_folder_is_passed_over(home: Path) -> None:
    assert found(home / "notes", VSCODE_CWD=str(home), CLAUDE_PROJECT_DIR="/").root_path == str(home / "notes")


def test_below_a_repository_of_dotfiles_each_folder_is_its_own_project(home: Path) -> None:
    make_repository(home)
    assert found(home / "notes").root_path == str(home / "notes")
    assert found(home / "notes" / "2030").root_path == str(home / "notes" / "2030")


def test_an_account_without_a_home_has_projects(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert found(home / "notes").root_path == str(home / "notes")


def test_a_home_folder_that_is_a_project_already_is_found(home: Path) -> None:
    board = project_at(home)
    assert found(home) == board


def test_whoever_is_refused_a_folder_learns_why_and_what_a_person_can_do(home: Path) -> None:
    messages = {}
    for source in ("project_dir", "ORCHESTRATOR_PROJECT_DIR", "The working directory"):
        explicit, environ = (str(home) if source == "project_dir" else None), {source: str(home)}
        with pytest.raises(Invalid) as raised:
            find_folder(explicit=explicit, environ=environ, working_directory=str(home))
        messages[source] = raised.value
    assert all(error.message.startswith(source) for source, error in messages.items())
    assert all("manage.py project" in error.next for error in messages.values())


@pytest.mark.parametrize("option", ["--folder", "--add"])
def test_a_person_may_give_a_project_the_home_folder_as_in_a_container(home: Path, option: str) -> None:
    board = Project.objects.create(name="app", slug="app")
    call_command("project", "app", option, str(home))
    assert found(home) == board
    assert project_at(find_folder(explicit=str(home), environ={}, working_directory="")) == board


def test_two_processes_that_meet_a_new_folder_make_one_project(fresh_home: Path, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "shop")
    (folder / "src").mkdir()
    code = (
        "import sys, django; django.setup()\n"
        "from tasks.services.projects import find_folder, project_at\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "found = find_folder(explicit=None, environ={}, working_directory=sys.argv[1])\n"
        "print(project_at(found).pk)\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(place)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for place in (folder, folder / "src")
    ]
    for process in started:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in started]
    assert outputs[0] == outputs[1] != ""
    assert [process.returncode for process in started] == [0, 0]
