"""What a content store keeps, looked at and harmed past the product."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from artifacts.storage.s3 import S3Store


class Shelf(Protocol):
    """Packed bytes by name."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...
    def write(self, name: str, data: bytes) -> None: ...
    def remove(self, name: str) -> None: ...
    def aside(self) -> list[str]: ...


class FolderShelf:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("??/??/*"))

    def read(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        self._path(name).parent.mkdir(parents=True, exist_ok=True)
        self._path(name).write_bytes(data)

    def remove(self, name: str) -> None:
        self._path(name).unlink()

    def aside(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("damaged/*"))

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name[2:4] / name


class ObjectShelf:
    """Objects of a bucket."""

    def __init__(self, store: S3Store) -> None:
        self.client, self._bucket, self._prefix = store._client, store._bucket, store._prefix

    def names(self) -> list[str]:
        return sorted(key.rpartition("/")[2] for key in self._keys() if "/damaged/" not in key)

    def read(self, name: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read())

    def write(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self._bucket, Key=self._key(name), Body=data)

    def remove(self, name: str) -> None:
        self.client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def aside(self) -> list[str]:
        return sorted(key.rpartition("/")[2] for key in self._keys() if "/damaged/" in key)

    def _keys(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name[:2]}/{name[2:4]}/{name}"
