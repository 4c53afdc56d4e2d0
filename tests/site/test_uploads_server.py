"""Uploads over a real socket: bytes are stored while they arrive, and a broken connection loses none of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest

from artifacts.api.uploads import MEDIA_TYPE, PIECE
from tests.mcp.http_client import Served, served
from tests.mcp.stdio_client import wait_for
from tests.rest import ALL, API, subtask
from tests.site.test_rest_server import call

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("uploads")
    with served(folder / "home", {"A": {"scopes": ALL}}) as running:
        call(running, "A", "POST", "/projects", {"name": "Shop"})
        yield running


@pytest.fixture
def upload(site: Served) -> str:
    plan = {"project": "shop", "description": "A job", "subtasks": [subtask("One")]}
    task = call(site, "A", "POST", "/plans", plan)[1]["subtasks"][0]["task_id"]
    return str(call(site, "A", "POST", "/uploads", {"task_id": task})[1]["upload_id"])


def patch(site: Served, upload: str, offset: int, body: Any) -> tuple[int, str | None]:
    """Send a part, from an iterator in chunks without a length; return the status and the reported offset."""
    headers = {"Authorization": f"Bearer {site.secrets['A']}", "Content-Type": MEDIA_TYPE}
    headers |= {"Upload-Offset": str(offset)} | ({"Transfer-Encoding": "chunked"} if isinstance(body, Iterator) else {})
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=60)) as connection:
        connection.request("PATCH", f"{API}/uploads/{upload}", body, headers, encode_chunked=isinstance(body, Iterator))
        response = connection.getresponse()
        response.read()
    return response.status, response.headers["Upload-Offset"]


def offset_of(site: Served, upload: str) -> int:
    return int(call(site, "A", "GET", f"/uploads/{upload}")[1]["offset"])


def started(site: Served, upload: str, length: int) -> socket.socket:
    """Return a connection that has sent the headers of a part."""
    client = socket.create_connection(("127.0.0.1", site.port), timeout=30)
    client.sendall(
        f"PATCH {API}/uploads/{upload} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.secrets['A']}\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\nUpload-Offset: 0\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return client


def test_one_request_can_upload_more_than_any_other_body_limit(site: Served, upload: str) -> None:
    data = bytes(range(256)) * (40 * MIB // 256)
    assert patch(site, upload, 0, data) == (204, str(40 * MIB))
    assert call(site, "A", "POST", f"/uploads/{upload}/commit", {})[1]["size_bytes"] == 40 * MIB


def test_a_part_of_unknown_length_is_stored(site: Served, upload: str) -> None:
    assert patch(site, upload, 0, iter([b"some ", b"", b"work"])) == (204, "9")
    assert patch(site, upload, 9, b"") == (204, "9")


def test_bytes_are_stored_before_the_body_has_ended(site: Served, upload: str) -> None:
    with started(site, upload, 3 * PIECE) as client:
        client.sendall(b"a" * (2 * PIECE + 5))
        wait_for(lambda: offset_of(site, upload) == 2 * PIECE, "the first pieces")


def test_bytes_received_before_a_broken_connection_are_kept(site: Served, upload: str) -> None:
    with started(site, upload, 3 * MIB) as client:
        client.sendall(b"a" * (MIB + 12_345))
    wait_for(lambda: offset_of(site, upload) == MIB + 12_345, "what came of the part")
    assert patch(site, upload, MIB + 12_345, b"b" * 10) == (204, str(MIB + 12_355))


def test_a_part_above_the_upload_limit_is_413_before_it_is_sent(site: Served, upload: str) -> None:
    with started(site, upload, 101 * MIB) as client:
        answer = client.makefile("rb").readline()
        assert b" 413 " in answer
    assert offset_of(site, upload) == 0


def test_an_endless_part_is_cut_off_at_the_limit(site: Served, upload: str) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * MIB

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        patch(site, upload, 0, endless())
    assert offset_of(site, upload) == 100 * MIB
    assert call(site, "A", "DELETE", f"/uploads/{upload}")[0] == 204


def test_a_client_that_sends_everything_first_still_reads_the_error(site: Served, upload: str) -> None:
    assert patch(site, upload, 5, b"x" * (2 * MIB)) == (409, "0")


def test_a_part_without_credentials_is_401(site: Served, upload: str) -> None:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=60)
    connection.request("PATCH", f"{API}/uploads/{upload}", b"x", {"Content-Type": MEDIA_TYPE, "Upload-Offset": "0"})
    assert connection.getresponse().status == 401
    connection.close()
    assert offset_of(site, upload) == 0
