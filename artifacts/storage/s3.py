"""Content in an object store that speaks S3, one object for each name.

Credentials and endpoint come from the variables that every AWS client reads: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL_S3 …
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from artifacts.storage.base import NAME, Readable, Stored, new_name, place_of
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.errors import Transient

_CONFIG = {
    "connect_timeout": 5,
    "read_timeout": 30,
    "retries": {"mode": "standard", "max_attempts": 3},
    # Stores that are not Amazon's do not all know its newer checksums, and every byte is checked against its sha256.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


class S3Store:
    """Objects below a prefix of a bucket."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def keep(self, draft: Path, sha256: str) -> str:
        """Put the draft in one request, which leaves no parts behind when it fails."""
        name = new_name(sha256)
        with asking(), draft.open("rb") as handle:
            self._client.put_object(**self._object(name), Body=handle)
        return name

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Readable]:
        with asking(), closing(self._body(name, f"bytes={start}-{'' if stop is None else stop - 1}")) as body:
            yield body

    def stored(self) -> Iterator[Stored]:
        with asking():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for each in (each for page in pages for each in page.get("Contents", ())):
                name = each["Key"].rpartition("/")[2]
                if NAME.fullmatch(name) and each["Key"] == self._object(name)["Key"]:
                    yield Stored(name, each["Size"], each["LastModified"].timestamp())

    def remove(self, name: str) -> None:
        with asking():
            self._client.delete_object(**self._object(name))

    def put_aside(self, name: str) -> None:
        source, target = self._object(name), f"{self._prefix}damaged/{name}"
        try:
            with asking():
                self._client.copy_object(Bucket=self._bucket, Key=target, CopySource=source)
        except FileNotFoundError:
            return
        self.remove(name)

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + place_of(name)}

    def _body(self, name: str, bytes_range: str) -> Any:
        try:
            return self._client.get_object(**self._object(name), Range=bytes_range)["Body"]
        except ClientError as error:
            if _code(error) == "InvalidRange":  # the object was cut short
                return io.BytesIO()
            raise


def s3_store(url: str) -> S3Store:
    parts = urlsplit(url)
    with asking():
        return S3Store(_client(parts.netloc, os.getpid()), parts.netloc, parts.path.strip("/"))


@lru_cache(maxsize=4)
def _client(bucket: str, process: int) -> Any:
    """Make a client for a process: threads can share its connections, forked processes cannot."""
    return S3Storage(bucket_name=bucket, client_config=Config(**_CONFIG)).connection.meta.client


@contextmanager
def asking() -> Iterator[None]:
    """Turn errors of the object store into FileNotFoundError or Transient."""
    try:
        yield
    except ClientError as error:
        if _code(error) in ("NoSuchKey", "404"):
            raise FileNotFoundError from error
        raise _fault(f"refused it ({_code(error)})") from error
    except BotoCoreError as error:
        raise _fault(f"cannot be reached ({type(error).__name__})") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _fault(why: str) -> Transient:
    return Transient(
        f"The object store of artifacts {why}.",
        retry_after_ms=5000,
        next=f"{unchanged()} Send it again; if it goes on, ask the person who runs the server to look at "
        "ORCHESTRATOR_CONTENT_URL and the AWS_* variables.".strip(),
    )
