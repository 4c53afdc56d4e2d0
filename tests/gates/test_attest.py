"""`manage.py attest`: a command in the user's own shell, and what counts of what it came to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_site.kernel.errors import Conflict, NotReady, Unavailable
from tasks.choices import Rung, Status
from tasks.models import Evidence
from tasks.selectors.gates import gates_on
from tasks.services.evidence import give_evidence
from tests.agents.supervised import git
from tests.factories import make_project
from tests.gates.attesting import REPORT, WRITE_REPORT, Shop, python, shop_at
from tests.gates.given import assistant, claimed, complete, gated

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with shop_at(tmp_path / "shop", monkeypatch) as made:
        yield made


def test_a_command_that_ends_well_meets_its_gate(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("sh", "-c", "echo all is well; echo really >&2; pwd")
    task, holder = shop.task()
    assert shop.attest("test") == 0
    assert capfd.readouterr().out == f"all is well\nreally\n{shop.folder}\n"
    row = Evidence.objects.get()
    assert (row.rung, row.passed, row.facts["exit_code"]) == (Rung.OBSERVED, True, 0)
    assert (row.output, row.commit) == (
        f"all is well\nreally\n{shop.folder}\n",
        git(shop.folder, "rev-parse", "HEAD")[:40],
    )
    assert complete(task, holder).status == Status.COMPLETED


def test_the_exit_code_is_the_commands(shop: Shop) -> None:
    shop.command("sh", "-c", "exit 3")
    task, holder = shop.task()
    assert shop.attest("test") == 3
    with pytest.raises(NotReady):
        complete(task, holder)


def test_one_run_counts_for_every_gate_that_it_meets(shop: Shop) -> None:
    shop.command(*python(WRITE_REPORT, "one", "two"), report=REPORT)
    task, holder = shop.task({"command": "test"}, {"kind": "report", "rung": "observed", "tests": ["two"]})
    assert shop.attest("test") == 0
    assert {row.gate: row.facts["tests"] for row in Evidence.objects.all()} == {"test": 2, "report": 2}
    assert complete(task, holder).status == Status.COMPLETED


def test_of_several_commands_that_write_a_report_the_named_one_is_run(shop: Shop) -> None:
    writes = {"argv": python(WRITE_REPORT, "one"), "report": REPORT}
    shop.commands(first={"argv": ["false"], "report": REPORT}, second=writes)
    task, holder = shop.task({"kind": "report", "rung": "observed"})
    assert shop.attest("second", "--gate", "report") == 0
    assert complete(task, holder).status == Status.COMPLETED


def test_exit_code_0_without_a_test_does_not_count(shop: Shop) -> None:
    shop.command(*python(WRITE_REPORT), report=REPORT)
    shop.task()
    assert shop.attest("test") == 1
    assert not Evidence.objects.get().passed


def test_a_report_of_an_earlier_run_does_not_count(shop: Shop) -> None:
    (shop.folder / "build").mkdir()
    (shop.folder / REPORT).write_text('<testsuite><testcase name="one"/></testsuite>')
    shop.command("true", report=REPORT)
    shop.task()
    assert shop.attest("test") == 1
    assert "tests" not in Evidence.objects.get().facts


@pytest.mark.parametrize("made", ["ln -s /etc/hostname", "mkfifo", "mkdir", "truncate -s 5M"])
def test_what_is_no_plain_report_is_none(shop: Shop, made: str) -> None:
    shop.command("sh", "-c", f"mkdir -p build; {made} {REPORT}", report=REPORT)
    shop.task()
    assert shop.attest("test") == 1
    assert not Evidence.objects.get().passed


def test_a_command_that_changes_the_files_does_not_count_and_names_them(shop: Shop) -> None:
    shop.command("sh", "-c", "echo fixed > README; echo new > new.py; mkdir -p build; echo x > build/x")
    shop.task()
    assert shop.attest("test") == 1
    row = Evidence.objects.get()
    assert not row.passed
    assert "README, new.py" in row.summary
    assert "build" not in row.summary


def test_a_tree_that_changed_since_does_not_count(shop: Shop) -> None:
    shop.command("true")
    task, holder = shop.task()
    assert shop.attest("test") == 0
    (shop.folder / "README").write_text("Edited after the test\n")
    with pytest.raises(NotReady) as refused:
        complete(task, holder)
    assert "stale" in refused.value.details["gates"][0]["why_not"]
    assert shop.attest("test") == 0
    git(shop.folder, "commit", "-q", "-a", "-m", "The same files")
    assert complete(task, holder).status == Status.COMPLETED


def test_evidence_from_a_worktree_is_about_its_files(shop: Shop, tmp_path: Path) -> None:
    git(shop.folder, "worktree", "add", "-q", str(tmp_path / "beside"))
    shop.monkeypatch.chdir(tmp_path / "beside")
    shop.command("sh", "-c", "test $PWD = $0", str(tmp_path / "beside"))
    task, holder = shop.task()
    assert shop.attest("test") == 0
    (shop.folder / "README").write_text("Someone else edits here\n")
    (tmp_path / "beside/README").write_text("Edited after the test\n")
    with pytest.raises(NotReady):
        complete(task, holder)
    (tmp_path / "beside/README").write_text("A shop\n")
    assert complete(task, holder).status == Status.COMPLETED


def test_a_folder_without_git_is_bound_to_no_tree(shop: Shop) -> None:
    shop.command("true")
    task, holder = shop.task()
    (shop.folder / ".git").rename(shop.folder / "no-git")
    assert shop.attest("test") == 0
    assert Evidence.objects.get().fingerprint == ""
    assert complete(task, holder).status == Status.COMPLETED


# What is run


def test_a_command_is_run_without_a_shell(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("echo", "a; touch ran", "$HOME", "`touch ran`", "*")
    shop.task()
    assert shop.attest("test") == 0
    assert capfd.readouterr().out == "a; touch ran $HOME `touch ran` *\n"
    assert not (shop.folder / "ran").exists()


def test_what_is_run_is_shown_before(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("no-such-program-here", "a b", "\x1b[2K\u202e")
    shop.task()
    assert shop.attest("test") == 1
    assert r'["no-such-program-here", "a b", "\u001b[2K\u202e"]' in capfd.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("name", ["touch ran", "rm", "../test", "-c", "$(touch ran)"])
def test_only_commands_of_the_settings_are_run(shop: Shop, name: str) -> None:
    shop.command("true")
    shop.task()
    assert shop.attest("--", name) == 1
    assert not Evidence.objects.exists()
    assert not (shop.folder / "ran").exists()


def test_what_takes_too_long_is_ended_with_all_that_it_started(shop: Shop) -> None:
    alive = shop.folder.parent / "alive"
    os.mkfifo(alive)
    held = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    shop.command(
        "sh", "-c", f"(trap '' TERM; echo > {alive}; exec sleep 1000) >{alive} & sleep 1000", timeout_seconds=1
    )
    shop.task()
    assert shop.attest("test") == 124
    row = Evidence.objects.get()
    assert (row.passed, "exit_code" in row.facts) == (False, False)
    assert os.read(held, 10) == b"\n"
    assert os.read(held, 10) == b""  # no process has it open any more
    os.close(held)


def test_a_daemon_that_keeps_the_output_open_holds_nothing_up(shop: Shop) -> None:
    shop.command("sh", "-c", "setsid sleep 20 & echo done")
    shop.task()
    assert shop.attest("test") == 0
    assert Evidence.objects.get().output == "done\n"


def test_of_much_output_the_beginning_and_the_end_are_kept(shop: Shop) -> None:
    shop.command(*python("print('first'); print('x' * 1_000_000); print('last')"))
    shop.task()
    assert shop.attest("test") == 0
    kept = Evidence.objects.get().output
    assert kept.startswith("first\n")
    assert kept.endswith("last\n")
    assert 60_000 < len(kept) <= 66_000


def test_any_bytes_may_be_printed(shop: Shop) -> None:
    shop.command(*python(r"import os; os.write(1, b'\xff\x00\xe2\x82 \xf0\x9f\xa7\xad ok\n')"))
    shop.task()
    assert shop.attest("test") == 0
    assert Evidence.objects.get().output.endswith(" 🧭 ok\n")


def test_no_secret_is_kept(shop: Shop) -> None:
    secrets = {
        "API_KEY": "correct-horse-battery",
        "GITHUB_PAT": "plain words of a secret",
        "printed": "sk-abcdefghijklmnop",
        "header": "Bearer abcdefgh.ijklmnop",
        "url": "hunter2hunter2",
        "pem": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
        "assigned": "swordfish-swordfish",
    }
    shop.monkeypatch.setenv("API_KEY", secrets["API_KEY"])
    shop.monkeypatch.setenv("GITHUB_PAT", secrets["GITHUB_PAT"])
    printed = (
        f"{secrets['API_KEY']}\n{secrets['GITHUB_PAT']}\n{secrets['printed']}\nAuthorization: {secrets['header']}\n"
        f"postgres://ada:{secrets['url']}@db/shop\n-----BEGIN RSA PRIVATE KEY-----\n{secrets['pem']}\n"
        f"-----END RSA PRIVATE KEY-----\ndb_password={secrets['assigned']}\n{shop.usual}\nthe end\n"
    )
    cases = "".join(f'<testcase name="{secrets[each]}"><failure/></testcase>' for each in ("printed", "API_KEY"))
    report = f"<testsuite>{cases}</testsuite>"
    code = f"import pathlib, sys; print({printed!r}); pathlib.Path({REPORT!r}).parent.mkdir(); "
    shop.command(*python(code + f"pathlib.Path({REPORT!r}).write_text({report!r})"), report=REPORT)
    shop.task({"kind": "report", "rung": "observed", "name": "report"})
    shop.attest("test")
    kept = json.dumps(list(Evidence.objects.values("output", "summary", "facts")))
    assert "the end" in kept
    assert [name for name, secret in [*secrets.items(), ("token", shop.usual)] if secret in kept] == []


def test_a_report_with_a_secret_in_it_is_read_nevertheless(shop: Shop) -> None:
    shop.monkeypatch.setenv("API_KEY", "correct-horse-battery")
    printed = "<property authorization='Bearer abcdefgh.ijklmnop'/>correct-horse-battery -----BEGIN PRIVATE KEY-----"
    code = f"open('junit.xml', 'w').write({f'<testsuite>{printed}<testcase/></testsuite>'!r})"
    shop.command(*python(code), report="junit.xml")
    shop.task({"kind": "report", "rung": "observed"})
    assert shop.attest("test") == 0
    assert Evidence.objects.get().facts["tests"] == 1


def test_a_secret_across_the_cut_is_not_kept_in_part(shop: Shop) -> None:
    shop.command(*python("print('sk-' + 'a1' * 30_000, end=''); print(' x' * 100_000)"))
    shop.task()
    assert shop.attest("test") == 0
    assert "a1a1" not in Evidence.objects.get().output


def test_the_command_gets_the_users_environment_without_our_secrets(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.monkeypatch.setenv("ORCHESTRATOR_ATTEST_TOKEN", shop.usual)
    shop.monkeypatch.setenv("ORCHESTRATOR_SECRET_KEY", "secret")
    shop.monkeypatch.setenv("SHOP_ENVIRONMENT", "test")
    shop.command("env")
    shop.task()
    assert shop.attest("test") == 0
    names = {line.partition("=")[0] for line in capfd.readouterr().out.splitlines()}
    assert {"SHOP_ENVIRONMENT", "PATH", "HOME"} <= names
    assert not {"ORCHESTRATOR_ATTEST_TOKEN", "ORCHESTRATOR_SECRET_KEY", "DJANGO_SETTINGS_MODULE"} & names


def test_a_program_that_is_missing_is_named(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("no-such-program-here")
    shop.task()
    assert shop.attest("test") == 1
    assert "no-such-program-here" in capfd.readouterr().err
    assert not Evidence.objects.exists()


# For which task, and with which token


def test_without_a_task_the_only_one_at_work_is_meant(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("true")
    assert shop.attest("test") == 1
    first, _ = shop.task()
    shop.task("report")
    gated({"command": "test"}, project=shop.project)
    assert shop.attest("test") == 0
    second, _ = shop.task()
    capfd.readouterr()
    assert shop.attest("test") == 1
    said = capfd.readouterr().err
    assert first.public_id in said
    assert second.public_id in said
    assert shop.attest("test", "--task", second.public_id) == 0
    assert [row.task for row in Evidence.objects.all()] == [first, second]


def test_a_gate_may_be_named(shop: Shop) -> None:
    shop.command(*python(WRITE_REPORT, "one"), report=REPORT)
    shop.task({"command": "test"}, {"kind": "report", "rung": "observed"})
    assert shop.attest("test", "--gate", "report") == 0
    assert [row.gate for row in Evidence.objects.all()] == ["report"]
    assert shop.attest("test", "--gate", "other") == 1


def test_a_task_that_is_not_at_work_has_no_attempt_to_observe(shop: Shop) -> None:
    shop.command("touch", "ran")
    task = gated({"command": "test"}, project=shop.project)
    assert shop.attest("test", "--task", task.public_id) == 1
    assert not (shop.folder / "ran").exists()


@pytest.mark.parametrize("scopes", [("read", "write", "review", "admin"), ("read",)])
def test_a_token_without_the_scope_runs_nothing(shop: Shop, scopes: tuple[str, ...]) -> None:
    shop.command("touch", "ran")
    shop.task()
    assert shop.attest("test", token=shop.token(*scopes)) == 1
    assert not (shop.folder / "ran").exists()


def test_a_token_of_another_project_an_unknown_one_and_none_run_nothing(shop: Shop) -> None:
    shop.command("touch", "ran")
    shop.task()
    for token in (shop.token("attest", project=make_project()), "mto_unknown", ""):
        assert shop.attest("test", token=token) == 1
    assert not (shop.folder / "ran").exists()


def test_the_token_may_be_in_a_file(shop: Shop, tmp_path: Path) -> None:
    shop.command("true")
    shop.task()
    (tmp_path / "token").write_text(f"{shop.usual}\n")
    assert shop.attest("test", "--token-file", str(tmp_path / "token"), token="") == 0


def test_a_folder_of_no_project_is_refused(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    shop.monkeypatch.chdir(tmp_path / "other")
    shop.command("true")
    shop.task()
    assert shop.attest("test") == 1
    assert shop.attest("test", "--project", str(shop.folder)) == 0


def test_commands_and_gates_are_listed_without_a_token(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("make", "test")
    task, _ = shop.task()
    assert shop.attest("--list", token="") == 0
    first, second = capfd.readouterr().out.splitlines()
    assert first.split() == ["test", "make", "test"]
    assert second.split()[:2] == [task.public_id, "test"]


# What is shown again, or at another time


def test_an_answer_counts_once_and_for_its_own_attempt(shop: Shop) -> None:
    shop.command("true")
    shop.task()
    sent: list[object] = []

    def spy(**arguments: object) -> object:
        sent.append(arguments)
        return give_evidence(**arguments)  # type: ignore[arg-type]

    shop.monkeypatch.setattr("orchestrator_site.attest.local.give_evidence", spy)
    assert shop.attest("test") == 0
    assert spy(**sent[0])  # type: ignore[arg-type]
    assert Evidence.objects.count() == 1
    other = claimed(gated({"command": "test"}, project=shop.project), assistant(shop.project))
    with pytest.raises(Conflict):
        give_evidence(**{**sent[0], "task": other})  # type: ignore[dict-item]
    assert not gates_on(other)[0].met


def test_a_run_that_cannot_be_reported_is_kept_and_reported_later(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.command("true")
    task, holder = shop.task()
    with shop.monkeypatch.context() as patch:
        patch.setattr("orchestrator_site.attest.local.give_evidence", _unavailable)
        assert shop.attest("test") == 1
    file = capfd.readouterr().err.split("--from ")[1].strip()
    assert Path(file).stat().st_mode & 0o077 == 0
    assert shop.attest("--from", file) == 0
    assert not Path(file).exists()
    assert complete(task, holder).status == Status.COMPLETED


def test_a_kept_run_that_was_reported_is_kept_no_longer_although_a_gate_is_not_met(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.command("false")
    shop.task()
    with shop.monkeypatch.context() as patch:
        patch.setattr("orchestrator_site.attest.local.give_evidence", _unavailable)
        assert shop.attest("test") == 1
    file = capfd.readouterr().err.split("--from ")[1].strip()
    assert shop.attest("--from", file) == 1
    assert Evidence.objects.count() == 1
    assert not Path(file).exists()


def _unavailable(**_: object) -> None:
    raise Unavailable("The disk of the data folder is full.")


def test_what_is_no_kept_run_is_refused(shop: Shop) -> None:
    (shop.folder / "kept").write_text("[]")
    assert shop.attest("--from", str(shop.folder / "kept")) == 1
    assert shop.attest("--from", str(shop.folder / "none")) == 1
