"""The lock files satisfy pyproject.toml and every locked package, and hold nothing of the machine that made them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.site.processes import ROOT

LOCKS = ["requirements.lock", "requirements-dev.lock"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
PLATFORMS: dict[str, dict[str, str]] = {
    "here": {},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    "python 3.11": {"python_version": "3.11", "python_full_version": "3.11.7"},
    "python 3.13": {"python_version": "3.13", "python_full_version": "3.13.0"},
}


def pins(lock: str, environment: dict[str, Any] | None = None) -> dict[str, Requirement]:
    """Return the lines of a lock by name, those that hold in an environment."""
    lines = re.findall(r"^([a-z0-9].*?) \\$", (ROOT / lock).read_text(), re.MULTILINE | re.IGNORECASE)
    found = map(Requirement, lines)
    return {pin.name: pin for pin in found if not environment or not pin.marker or pin.marker.evaluate(environment)}


def locked(lock: str) -> dict[str, str]:
    """Return the locked versions by name."""
    return {name: str(pin.specifier).removeprefix("==") for name, pin in pins(lock).items()}


def satisfies(pin: Requirement | None, wanted: Requirement) -> bool:
    """Whether a pinned line is enough for pip, which with hashes wants the extras pinned too."""
    if pin is None:
        return False
    pinned_version = str(pin.specifier).removeprefix("==")
    return wanted.extras <= pin.extras and wanted.specifier.contains(pinned_version, prereleases=True)


def asked_for(pin: Requirement, environment: dict[str, Any]) -> Iterator[Requirement]:
    """Yield what an installed package, with the extras of its pinned line, requires in an environment."""
    for wanted in map(Requirement, requires(pin.name) or []):
        extras = ("", *pin.extras)
        if not wanted.marker or any(wanted.marker.evaluate(environment | {"extra": extra}) for extra in extras):
            yield wanted


@pytest.mark.parametrize(
    ("lock", "wanted"), [(LOCKS[0], PROJECT["dependencies"]), (LOCKS[1], PROJECT["dependencies"] + EXTRAS)]
)
def test_a_lock_satisfies_pyproject(lock: str, wanted: list[str]) -> None:
    found = pins(lock)
    unmet = [
        line
        for line in wanted
        if not satisfies(found.get(canonicalize_name(Requirement(line).name)), Requirement(line))
    ]
    assert unmet == [], "call make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_installed_is_what_is_locked(lock: str) -> None:
    here = pins(lock, dict(default_environment()))
    assert {name: version(name) for name in here} == {name: locked(lock)[name] for name in here}, "call make setup"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_every_requirement_of_every_locked_package(lock: str, platform: str) -> None:
    environment = dict(default_environment()) | PLATFORMS[platform]
    found = pins(lock, environment)
    unmet = []
    for pin in found.values():
        try:
            wanted = list(asked_for(pin, environment))
        except PackageNotFoundError:
            assert platform != "here"  # what only another platform installs
            continue
        unmet += [
            f"{pin.name}: {line}" for line in wanted if not satisfies(found.get(canonicalize_name(line.name)), line)
        ]
    assert unmet == []


def test_an_unpinned_extra_is_noticed() -> None:
    wanted = Requirement("coverage[toml]>=7")
    assert satisfies(Requirement("coverage[toml]==7.17"), wanted)
    assert not satisfies(Requirement("coverage==7.17"), wanted)
    assert not satisfies(Requirement("coverage[toml]==6.5"), wanted)


def test_development_runs_on_the_versions_that_users_get() -> None:
    development = locked(LOCKS[1])
    assert {name: development.get(name) for name in locked(LOCKS[0])} == locked(LOCKS[0])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_folder(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-|.*@ )", text.replace("    --hash=sha256:", ""), re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_with_hashes(lock: str) -> None:
    blocks = re.split(r"\n(?=[a-zA-Z])", (ROOT / lock).read_text())[1:]
    assert len(blocks) == len(locked(lock))
    assert all("--hash=sha256:" in block for block in blocks)
