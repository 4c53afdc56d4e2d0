"""Uploads with several processes at once, killed processes, and a disk that fills up."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from tests.artifacts.processes import BEFORE, UNCOMMITTED, Uploader, uploader
from tests.homes import make_home, migrated_database

MIB = 1024 * 1024
SMALL_DISK = 12 * MIB
_TMPFS = ("unshare", "--mount", "--map-root-user", "sh", "-c")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("uploads") / "home")


@pytest.fixture(scope="module")
def processes(home: Path) -> Iterator[Uploader]:
    with uploader(home) as running:
        yield running


def files(home: Path) -> list[Path]:
    """Return the files of stored content."""
    return [path for path in (home / "content").rglob("*") if path.is_file()]


@pytest.mark.parametrize("point", BEFORE)
def test_a_process_killed_in_the_middle_of_an_append_leaves_the_offset(processes: Uploader, point: str) -> None:
    upload = processes.do("begin")["upload"]
    processes.append(upload, 0, b"a" * 1000)
    assert processes.append(upload, 1000, b"b" * 1000, point) == {"killed": True}
    assert processes.do("status", upload=upload)["offset"] == 1000
    assert processes.append(upload, 1000, b"c" * 500) == {"offset": 1500}  # other bytes: nothing was promised
    stored = processes.do("commit", upload=upload)
    assert stored["sha256"] == sha256(b"a" * 1000 + b"c" * 500).hexdigest()


def test_a_process_killed_after_it_acknowledged_has_stored_the_part(processes: Uploader) -> None:
    upload = processes.do("begin")["upload"]
    assert processes.append(upload, 0, b"a" * 1000, "acknowledged") == {"killed": True}
    assert processes.do("status", upload=upload)["offset"] == 1000
    assert processes.append(upload, 0, b"a" * 1000) == {"offset": 1000}


@pytest.mark.parametrize("point", [*UNCOMMITTED, "linked"])
def test_a_process_killed_in_the_middle_of_a_commit_leaves_the_upload(processes: Uploader, point: str) -> None:
    upload = processes.do("begin")["upload"]
    data = Random(point).randbytes(MIB)
    processes.append(upload, 0, data)
    assert processes.do("commit", upload=upload, die=point) == {"killed": True}
    assert processes.do("status", upload=upload) == {"offset": MIB, "state": "open", "artifacts": 0}
    assert processes.do("commit", upload=upload)["sha256"] == sha256(data).hexdigest()
    assert processes.do("read", upload=upload) == {"sha256": sha256(data).hexdigest(), "size": MIB}


def test_a_process_killed_after_its_commit_leaves_only_staged_bytes_to_sweep(processes: Uploader, home: Path) -> None:
    upload = processes.do("begin")["upload"]
    processes.append(upload, 0, b"a" * 1000)
    assert processes.do("commit", upload=upload, die="committed") == {"killed": True}
    assert processes.do("status", upload=upload)["state"] == "committed"
    assert (home / "staging" / upload).exists()
    processes.do("sweep")
    assert not (home / "staging" / upload).exists()
    assert processes.do("commit", upload=upload)["version"] == 1


def test_of_two_processes_at_one_offset_one_stores_and_the_other_is_refused(processes: Uploader, home: Path) -> None:
    with uploader(home) as others:
        for turn in range(20):
            upload = processes.do("begin")["upload"]
            parts = [bytes([turn]) * 5000, bytes([turn + 100]) * 7000]
            for each, part in zip((processes, others), parts, strict=True):
                each.start("append", upload=upload, offset=0, data=base64.b64encode(part).decode())
            answers = [processes.answer(), others.answer()]
            (winner,) = (number for number, answer in enumerate(answers) if "code" not in answer)
            size = len(parts[winner])
            assert answers[winner] == {"offset": size}
            assert (answers[1 - winner]["code"], answers[1 - winner]["offset"]) == ("conflict", size)
            assert processes.do("commit", upload=upload)["sha256"] == sha256(parts[winner]).hexdigest()


def test_two_processes_that_send_the_same_part_both_hear_that_it_is_there(processes: Uploader, home: Path) -> None:
    with uploader(home) as others:
        for turn in range(20):
            upload = processes.do("begin")["upload"]
            part = base64.b64encode(bytes([turn]) * 5000).decode()
            for each in (processes, others):
                each.start("append", upload=upload, offset=0, data=part)
            assert [processes.answer(), others.answer()] == [{"offset": 5000}] * 2


def test_two_commits_at_once_make_one_version(processes: Uploader, home: Path) -> None:
    with uploader(home) as others:
        for turn in range(10):
            upload = processes.do("begin")["upload"]
            processes.append(upload, 0, bytes([turn]) * 200_000)
            for each in (processes, others):
                each.start("commit", upload=upload)
            first, second = processes.answer(), others.answer()
            assert first == second
            assert (first["version"], processes.do("status", upload=upload)["artifacts"]) == (1, 1)


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[tuple[Uploader, Path]]:
    """Return processes whose data folder is on a disk of 12 MiB of its own, and that folder as the test sees it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with ExitStack() as stack:
        within = _small_disk(disk)
        running = stack.enter_context(uploader(disk / "home", within=within, ORCHESTRATOR_KEEP_FREE_BYTES="0"))
        yield running, Path(f"/proc/{running.pid}/root") / str(disk / "home").lstrip("/")


def _small_disk(disk: Path) -> Sequence[str]:
    """Return the command that gives a process a small disk of its own, which goes when it ends."""
    assert shutil.which("unshare"), "util-linux is needed for a disk of its own"
    tried = subprocess.run([*_TMPFS, f"mount -t tmpfs tmpfs {disk}"], capture_output=True, text=True)
    assert tried.returncode == 0, f"no disk of its own can be mounted here: {tried.stderr}"
    home = disk / "home"
    prepared = f"mkdir -m 700 {home} && cp {migrated_database()} {home}"
    return [*_TMPFS, f'mount -t tmpfs -o size={SMALL_DISK} tmpfs {disk} && {prepared} && exec "$@"', "sh"]


def test_an_upload_goes_on_once_a_full_disk_has_space_again(crowded: tuple[Uploader, Path]) -> None:
    processes, home = crowded
    upload = processes.do("begin")["upload"]
    parts = [Random(number).randbytes(MIB) for number in range(4)]
    processes.append(upload, 0, parts[0])
    with (home / "filler").open("wb") as filler:
        free = shutil.disk_usage(home).free
        filler.write(b"x" * (free - MIB // 2))
    rejection = processes.append(upload, MIB, parts[1])
    assert rejection["code"] == "unavailable"
    assert processes.do("status", upload=upload)["offset"] == MIB
    (home / "filler").unlink()
    for number in (1, 2, 3):
        assert processes.append(upload, number * MIB, parts[number]) == {"offset": (number + 1) * MIB}
    assert processes.do("commit", upload=upload)["sha256"] == sha256(b"".join(parts)).hexdigest()
    assert processes.do("read", upload=upload)["size"] == 4 * MIB


def test_a_disk_that_fills_up_in_the_middle_of_a_part_keeps_what_was_acknowledged(
    crowded: tuple[Uploader, Path],
) -> None:
    processes, home = crowded
    upload = processes.do("begin")["upload"]
    processes.append(upload, 0, b"a" * MIB)
    rejection = processes.do("fill", upload=upload, offset=MIB, size=MIB)
    assert rejection["code"] == "unavailable"
    assert processes.do("status", upload=upload)["offset"] == MIB
    (home / "filler").unlink()
    assert processes.append(upload, MIB, b"b" * MIB) == {"offset": 2 * MIB}


def test_a_commit_needs_no_space_for_the_bytes_again(crowded: tuple[Uploader, Path]) -> None:
    processes, home = crowded
    upload = processes.do("begin")["upload"]
    data = Random(7).randbytes(3 * MIB)
    for start in range(0, len(data), MIB):
        processes.append(upload, start, data[start : start + MIB])
    (home / "filler").write_bytes(b"x" * (shutil.disk_usage(home).free - MIB))
    assert processes.do("commit", upload=upload)["sha256"] == sha256(data).hexdigest()
    assert processes.do("read", upload=upload) == {"sha256": sha256(data).hexdigest(), "size": 3 * MIB}


def test_a_commit_on_a_full_disk_leaves_no_row_without_bytes(crowded: tuple[Uploader, Path]) -> None:
    processes, home = crowded
    upload = processes.do("begin")["upload"]
    data = Random(7).randbytes(3 * MIB)
    for start in range(0, len(data), MIB):
        processes.append(upload, start, data[start : start + MIB])
    (home / "filler").write_bytes(b"x" * shutil.disk_usage(home).free)
    assert processes.do("commit", upload=upload)["code"] == "unavailable"
    (home / "filler").unlink()
    assert processes.do("status", upload=upload) == {"offset": 3 * MIB, "state": "open", "artifacts": 0}
    assert processes.do("commit", upload=upload)["sha256"] == sha256(data).hexdigest()
    assert processes.do("read", upload=upload) == {"sha256": sha256(data).hexdigest(), "size": 3 * MIB}


def test_an_upload_that_would_fill_the_disk_is_refused_before_it_begins(crowded: tuple[Uploader, Path]) -> None:
    rejection = crowded[0].do("begin", expected_size=SMALL_DISK)
    assert rejection["code"] == "unavailable"
    assert "nearly full" in rejection["message"]
