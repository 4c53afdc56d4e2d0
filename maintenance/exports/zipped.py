"""Write an export, read it back, and open one that comes from anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from artifacts import storage
from maintenance.exports.rows import FORMAT, TABLES, contents_of, described
from orchestrator_site.kernel.errors import Invalid, TooLarge, Unavailable
from orchestrator_site.kernel.files import disk_fault, make_folder, sync_folder
from tasks.models import Project, Task

_PLAN, _MANIFEST = "plan.json", "manifest.json"
_CONTENT = re.compile(r"artifacts/([0-9a-f]{64})")
_STEP = 1024 * 1024
_PLAN_LIMIT, _MANIFEST_LIMIT = 256 * _STEP, 64 * _STEP
_MEMBERS_LIMIT = 200_000
_SHORT = 12
_DRAFT_SECONDS = 3600
_DEFLATE_LEVEL = 6
_PLAIN_FILE = 0o100600 << 16


@dataclass(frozen=True, slots=True)
class Export:
    """A complete export: where it is below the folder of exports, and its sha256."""

    name: str
    sha256: str

    @property
    def path(self) -> Path:
        return folder() / self.name


def folder() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "exports"


def write(plan: Task) -> Export:
    """Write the export of a plan, durable and read back; one of the same rows has the same name and bytes.

    Raises Unavailable or Transient where the disk refuses, Damaged where an artifact's bytes are.
    """
    home = folder() / plan.project.slug
    draft = home / f".{plan.public_id}.{secrets.token_hex(6)}"
    try:
        make_folder(home, 0o700)
        try:
            with draft.open("xb") as file:
                _write_zip(file, plan)
                file.flush()
                os.fsync(file.fileno())
            sha256 = _verified(draft)
            name = f"{plan.public_id}-{sha256[:_SHORT]}.zip"
            draft.replace(home / name)
            sync_folder(home)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise disk_fault("The export cannot be written", error) from error
    return Export(f"{plan.project.slug}/{name}", sha256)


def _write_zip(file: IO[bytes], plan: Task) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_DEFLATE_LEVEL) as made:
        members = {_PLAN: _put(made, _PLAN, [described(plan)])}
        for content in contents_of(plan).iterator(chunk_size=20):
            name = f"artifacts/{content.sha256}"
            members[name] = _put(made, name, storage.chunks(content))
        manifest = {"format": FORMAT, "members": members}
        _put(made, _MANIFEST, [json.dumps(manifest, indent=0, sort_keys=True).encode()])


def _put(made: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> dict[str, Any]:
    info = zipfile.ZipInfo(name)  # always of 1980: the same rows make the same bytes
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, _PLAIN_FILE
    digest, size = hashlib.sha256(), 0
    with made.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "size_bytes": size}


def _verified(path: Path) -> str:
    """Read everything back and return the sha256 of the file. Raises Unavailable where it is not what was written."""
    try:
        with opened(path) as export:
            for name in export.members:
                for _ in export.chunks(name):
                    pass
    except (Invalid, TooLarge) as error:
        raise Unavailable(
            "The export cannot be read back as it was written.", next="Look at the disk of the data folder."
        ) from error
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Opened:
    """An export whose members and sizes were checked; hashes are checked while they are read."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._zip = file
        self._sizes = _sizes(file)
        manifest = self._json(_MANIFEST, _MANIFEST_LIMIT)
        if manifest.get("format") != FORMAT:
            raise _refused(f"its format is {str(manifest.get('format'))[:20]!r}; this version reads {FORMAT}")
        self.members: dict[str, dict[str, Any]] = _members(manifest, self._sizes)

    def plan(self) -> dict[str, Any]:
        """Return `plan.json`. Raises Invalid where it lacks a table, or names other contents than there are."""
        data = self._json(_PLAN, _PLAN_LIMIT)
        if data.get("format") != FORMAT or any(not isinstance(data.get(name), list) for name in (*TABLES, "contents")):
            raise _refused("plan.json is incomplete or of another format")
        named = {f"artifacts/{row.get('sha256')}" for row in data["contents"] if isinstance(row, dict)}
        if named != set(self.members) - {_PLAN}:
            raise _refused("plan.json names other artifacts than it holds")
        return data

    def content(self, sha256: str) -> Iterator[bytes]:
        return self.chunks(f"artifacts/{sha256}")

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a member. Raises Invalid, at the end at the latest, where it is not what the manifest says."""
        digest = hashlib.sha256()
        for chunk in self._read(name, self.members[name]["size_bytes"]):
            digest.update(chunk)
            yield chunk
        wanted = self.members[name]["sha256"]
        if digest.hexdigest() != wanted or ((found := _CONTENT.fullmatch(name)) and found[1] != wanted):
            raise _refused(f"{name} is damaged")

    def _read(self, name: str, size: int) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as member:
                while size > 0 and (chunk := member.read(min(size, _STEP))):
                    size -= len(chunk)
                    yield chunk
                if size or member.read(1):
                    raise _refused(f"{name} has another size than the manifest says")
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise _refused(f"{name} is damaged") from error

    def _json(self, name: str, limit: int) -> dict[str, Any]:
        size = self._sizes.get(name, -1)
        if size > limit:
            raise TooLarge(f"{name} of the export: {size:,} bytes; the limit is {limit:,}.")
        known = getattr(self, "members", {})
        parts = self.chunks(name) if name in known else self._read(name, size) if size >= 0 else iter(())
        try:
            data = json.loads(b"".join(parts))
        except ValueError as error:
            raise _refused(f"{name} is missing or not JSON") from error
        if not isinstance(data, dict):
            raise _refused(f"{name} is not an object")
        return data


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open an export that may come from anywhere.

    Raises Invalid for what is no export or of an unknown format, TooLarge above the limits, NotFound without a file.
    """
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _refused("it is no zip file") from error
    with file:
        yield Opened(file)


def _sizes(file: zipfile.ZipFile) -> dict[str, int]:
    infos = file.infolist()
    if len(infos) > _MEMBERS_LIMIT:
        raise TooLarge(f"The export has {len(infos):,} members; the limit is {_MEMBERS_LIMIT:,}.")
    sizes: dict[str, int] = {}
    for info in infos:
        is_ours = info.filename in (_PLAN, _MANIFEST) or _CONTENT.fullmatch(info.filename)
        is_plain = not info.flag_bits & 1 and info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if not is_ours or not is_plain or info.filename in sizes:
            raise _refused("it has a member that no export has")
        if _CONTENT.fullmatch(info.filename) and info.file_size > settings.ORCHESTRATOR_MAX_UPLOAD_BYTES:
            raise TooLarge(f"An artifact of the export has {info.file_size:,} bytes.")
        sizes[info.filename] = info.file_size
    return sizes


def _members(manifest: dict[str, Any], sizes: dict[str, int]) -> dict[str, dict[str, Any]]:
    members = manifest.get("members")
    if not isinstance(members, dict) or _PLAN not in members or set(members) != set(sizes) - {_MANIFEST}:
        raise _refused("its manifest names other members than it has")
    for name, facts in members.items():
        if not isinstance(facts, dict) or facts.get("size_bytes") != sizes[name] or not facts.get("sha256"):
            raise _refused(f"the manifest says other things of {name} than the zip")
    return members


def _refused(why: str) -> Invalid:
    return Invalid(f"This is not an export that can be imported: {why}.", next="Send a file that a purge has written.")


def forget_leftovers(project: Project, public_id: str, *, keep: Collection[str]) -> None:
    """Remove what ended purges of a plan have left: exports that are not kept, and drafts of dead processes."""
    home = folder() / project.slug
    old = time.time() - _DRAFT_SECONDS
    drafts = [path for path in home.glob(f".{public_id}.*") if path.stat().st_mtime < old]
    exports = [path for path in home.glob(f"{public_id}-*.zip") if f"{project.slug}/{path.name}" not in keep]
    for path in (*drafts, *exports):
        path.unlink(missing_ok=True)
