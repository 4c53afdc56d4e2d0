"""Any sequence of parts, repetitions, wrong offsets and killed processes ends in the exact bytes or a clear error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.artifacts.processes import BEFORE, UNCOMMITTED, Uploader, uploader
from tests.homes import make_home
from tests.properties import one_in

SIZES = st.one_of(st.integers(0, 40), st.sampled_from([1000, 65_535, 65_536, 65_537, 300_000]))
POINTS = st.sampled_from([None, None, *BEFORE, "acknowledged"])
ENDS = st.lists(st.sampled_from([*UNCOMMITTED, "committed"]), max_size=3)


@dataclass(frozen=True)
class Step:
    """One part: what is sent, from where relative to the right offset, and where its process dies."""

    size: int
    seed: int
    shift: int
    die: str | None

    @property
    def data(self) -> bytes:
        return Random(self.seed).randbytes(self.size)


STEPS = st.builds(
    Step,
    size=SIZES,
    seed=st.integers(0, 3),  # few, so that equal bytes come again
    shift=st.one_of(st.just(0), st.integers(-50, 50), st.sampled_from([-65_536, 10**9])),
    die=POINTS,
)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploader]:
    with uploader(
        make_home(tmp_path_factory.mktemp("uploads") / "home"), ORCHESTRATOR_MAX_UPLOAD_BYTES="1000000"
    ) as running:
        yield running


@one_in(4)
@given(st.lists(st.one_of(STEPS, st.just("repeat")), min_size=1, max_size=8), ENDS)
def test_what_is_stored_is_what_was_acknowledged(
    processes: Uploader, steps: list[Step | str], deaths: list[str]
) -> None:
    upload = processes.do("begin")["upload"]
    whole, last = b"", (0, b"")
    for step in steps:
        offset, data = last if isinstance(step, str) else (max(len(whole) + step.shift, 0), step.data)
        die = None if isinstance(step, str) else step.die
        last = (offset, data)
        whole = after(processes, upload, whole, offset, data, die)
        assert processes.do("status", upload=upload)["offset"] == len(whole)
    end(processes, upload, whole, deaths)


def after(processes: Uploader, upload: str, whole: bytes, offset: int, data: bytes, die: str | None) -> bytes:
    """Send a part, check what is said about it, and return what must be there then."""
    answer = processes.append(upload, offset, data, die)
    agreed = offset <= len(whole) and data.startswith(whole[offset : offset + len(data)])
    longer = whole[:offset] + data if agreed and offset + len(data) > len(whole) else whole
    if offset <= len(whole) and offset + len(data) > 1_000_000:
        assert answer["code"] == "too_large"
    elif not agreed:
        assert (answer["code"], answer["offset"]) == ("conflict", len(whole))
    elif longer == whole or die is None:
        assert answer == {"offset": len(longer)}
        return longer
    else:
        assert answer == {"killed": True}
        return whole if die in BEFORE else longer
    return whole


def end(processes: Uploader, upload: str, whole: bytes, deaths: list[str]) -> None:
    """Commit, with a process or more dying over it, and read back."""
    if not whole:
        assert processes.do("commit", upload=upload)["code"] == "invalid"
        return
    for point in deaths:
        stored = processes.do("status", upload=upload)["state"] == "committed"
        answer = processes.do("commit", upload=upload, die=point)
        assert answer == {"killed": True} or (stored and answer["version"] == 1)
        assert processes.do("status", upload=upload)["artifacts"] == (stored or point == "committed")
    for _ in range(2):
        answer = processes.do("commit", upload=upload)
        assert answer == {"sha256": sha256(whole).hexdigest(), "size": len(whole), "version": 1}
    assert processes.do("read", upload=upload) == {"sha256": sha256(whole).hexdigest(), "size": len(whole)}
    assert processes.do("append", upload=upload, offset=len(whole), data="eA==")["code"] == "conflict"


def test_an_upload_that_is_aborted_leaves_nothing(processes: Uploader) -> None:
    upload = processes.do("begin")["upload"]
    processes.append(upload, 0, b"some of it")
    for _ in range(2):
        assert processes.do("abort", upload=upload) == {"state": "aborted"}
    assert processes.append(upload, 10, b"more")["code"] == "conflict"
    assert processes.do("commit", upload=upload)["code"] == "conflict"
    assert processes.do("status", upload=upload)["artifacts"] == 0
