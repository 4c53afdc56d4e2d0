"""The tool export_artifact."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from artifacts.selectors import artifacts
from artifacts.services.local_files import export_file
from orchestrator_site.mcp.registry import Arguments, tool
from tasks import serializers
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once


class ExportArtifact(Arguments):
    aliases: ClassVar[dict[str, str]] = {"id": "artifact_id"}
    artifact_id: str
    path: str = Field(description="In the project's folder")
    version: int | None = Field(None, ge=1)
    overwrite: bool = Field(False, description="What is not a version of the project")
    session_id: str | None = None
    idempotency_key: str | None = None


@tool(
    "orchestrator_export_artifact",
    title="Export an artifact",
    description="Write a whole artifact to a file, without reading it.",
    arguments=ExportArtifact,
    toolset="artifacts",
    destructive=True,
    idempotent=True,
    is_long=True,
)
def export_artifact(caller: Caller, given: ExportArtifact) -> dict[str, Any]:
    project = caller.session(given.session_id).project
    folder = caller.folder_of(project)
    chosen = run_once(  # the same version again, even if there is a newer one by then
        project=project,
        operation="export_artifact",
        key=given.idempotency_key,
        request=serializers.request_of(given),
        produce=lambda: {"version": artifacts.version_by_id(project, given.artifact_id, given.version).number},
    )
    version = artifacts.version_by_id(project, given.artifact_id, chosen["version"])
    is_new = export_file(version, folder=folder, path=given.path, overwrite=given.overwrite)
    return {
        "path": str(folder / given.path),
        "written": is_new,
        "version": version.number,
        "size_bytes": version.content.size_bytes,
        "sha256": version.content.sha256,
    }
