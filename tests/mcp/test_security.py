"""The edge of the bridge over HTTP: what is refused before anything is done, and what is written down of it.

With `test_security_access.py` (tokens, sessions, whose is what) and `test_security_tools.py` (what tools let out) this
is the checklist for servers of the protocol. By its numbers: 1-6, 9 and 23 here, 7, 8 and 10-13 in the second, 14-16,
21 and 22 in the third. The other points need no test of these files:

17. Processes that a server starts: this one starts none for a caller.
18. Confused deputy: no tool fetches an address, and the server has no secret to use for a caller; that each acts with
    the rights of its caller alone is point 10.
19. Purity of stdio: test_purity.py, test_garbage.py and test_endings.py.
20. stdio has no authentication: who starts the process is the caller; docs/security.md says so.

A `requestState` (12) is never given out by a tool of the product; that one which was tampered with is refused is a
scenario of the conformance suite, as are parts of 2-6.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator_site.mcp.stdio.framing import LINE_LIMIT
from tests.mcp.http_client import FULL
from tests.mcp.secured import GREETING, LISTING, SecuredSite, secured
from tests.mcp.stdio_client import DEADLINE_SECONDS, MODERN
from tests.site.processes import manage

MIB = 1024 * 1024
PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredSite]:
    with secured(tmp_path_factory.mktemp("edge"), {"laptop": FULL}, ORCHESTRATOR_LOG_LEVEL="INFO") as site:
        yield site


@pytest.fixture(params=["2025-06-18", "2026-07-28"])
def modern(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "2026-07-28")


# 1. Who can reach it


def test_the_site_listens_on_loopback(site: SecuredSite) -> None:
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    listening = {line.split()[1] for table in tables for line in table if line.split()[3] == "0A"}
    assert {address for address in listening if address.endswith(f":{site.port:04X}")} == {f"0100007F:{site.port:04X}"}


def test_a_public_address_needs_hosts_and_tls(site: SecuredSite) -> None:
    ended = manage("up", "--host", "0.0.0.0", "--port", "0", "--no-worker")
    assert ended.returncode != 0
    assert "0.0.0.0" in ended.stderr


# 2, 3. Under which name


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "localhost:80.evil.example",
        "127.0.0.1:80@evil.example",
        "evil.example:80",
        "127.0.0.2",
        "0.0.0.0",
        "[::2]:80",
        "",
    ],
)
def test_a_wrong_host_is_rejected_before_the_token_is_checked(site: SecuredSite, host: str, modern: bool) -> None:
    assert site.knock({"Host": host}, modern=modern).status == 421
    assert site.knock({"Host": host, "Authorization": None}, modern=modern).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:{port}", "[::1]:{port}"])
def test_allowed_hosts_match_with_and_without_a_port(site: SecuredSite, host: str) -> None:
    assert site.knock({"Host": host.format(port=site.port)}).status == 200


def test_two_host_headers_are_rejected(site: SecuredSite) -> None:
    answer = _raw(site, b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


# 4. From which page


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://evil.example:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
    ],
)
def test_another_origin_is_rejected(site: SecuredSite, origin: str, modern: bool) -> None:
    assert site.knock({"Origin": origin.format(port=site.port)}, modern=modern).status == 403


@pytest.mark.parametrize("origin", ["https://tools.example", "null"])
def test_a_rejected_origin_learns_the_setting_and_its_value(site: SecuredSite, origin: str, modern: bool) -> None:
    message = site.knock({"Origin": origin}, modern=modern).json["error"]["message"]
    assert "ORCHESTRATOR_TRUSTED_ORIGINS" in message
    assert ("https://tools.example" in message) is (origin != "null")


@pytest.mark.parametrize("target", ["/mcp//", "/mcp/sse", "/mcp/mcp", "/sse", "/sse/"])
def test_another_address_says_where_the_endpoint_is(site: SecuredSite, target: str) -> None:
    for verb in ("GET", "POST"):
        answer = site.knock(verb=verb, target=target)
        assert answer.status == 404
        assert "/mcp" in answer.json["error"]["message"] and answer.json["error"]["data"]["code"] == "not_found"


@pytest.mark.parametrize("kind", ["APPLICATION/JSON", "Application/Json; Charset=UTF-8"])
def test_the_case_of_a_media_type_says_nothing(site: SecuredSite, kind: str, modern: bool) -> None:
    assert site.knock({"Content-Type": kind}, modern=modern).status == 200
    assert site.knock({"Content-Type": kind}, target="/api/v1/sessions", body={"project": "none"}).status == 404


def test_the_own_origin_and_no_origin_are_allowed(site: SecuredSite, modern: bool) -> None:
    assert site.knock({"Origin": f"http://127.0.0.1:{site.port}"}, modern=modern).status == 200
    assert site.knock({"Origin": None}, modern=modern).status == 200


def test_there_are_no_cors_headers(site: SecuredSite) -> None:
    asked = {"Origin": f"http://127.0.0.1:{site.port}", "Access-Control-Request-Method": "POST"}
    for answer in (site.knock(asked, verb="OPTIONS"), site.knock(asked)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


# 5. In which form


def test_a_form_is_not_a_message(site: SecuredSite, modern: bool) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        assert site.knock({"Content-Type": kind}, modern=modern).status == 400


def test_an_unacceptable_accept_header_is_406(site: SecuredSite, modern: bool) -> None:
    assert site.knock({"Accept": "text/html"}, modern=modern).status == 406


def test_other_methods_are_405_with_the_allowed_ones(site: SecuredSite) -> None:
    for verb in ("GET", "DELETE", "PUT", "PATCH"):
        answer = site.knock(verb=verb)
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","method":"ping","id":' + b"1" * 9000,
    ],
    ids=["nothing", "half", "no-utf-8", "long-number"],
)
def test_invalid_json_is_a_parse_error(site: SecuredSite, body: bytes, modern: bool) -> None:
    answer = site.knock(body=body, modern=modern)
    assert (answer.status, answer.error_code) == (400, PARSE_ERROR)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 50_000, b"[" + b"[]," * 300_000], ids=["list", "object", "wide"]
)
def test_a_body_that_costs_too_much_is_413(site: SecuredSite, body: bytes, modern: bool) -> None:
    answer = site.knock(body=body, modern=modern)
    assert (answer.status, answer.error_code) == (413, INVALID_REQUEST)


def test_a_batch_is_rejected(site: SecuredSite, modern: bool) -> None:
    answer = site.knock(body=[LISTING if modern else GREETING], modern=modern)
    assert (answer.status, answer.error_code) == (400, INVALID_REQUEST if modern else INVALID_PARAMS)
    assert len(answer.body) < 4000


def test_a_content_length_above_the_limit_is_413_before_the_body(site: SecuredSite, modern: bool) -> None:
    assert _raw(site, _head(site, modern, f"Content-Length: {LINE_LIMIT + 1}")).startswith(b"HTTP/1.1 413")


def test_a_chunked_body_above_the_limit_is_413(site: SecuredSite, modern: bool) -> None:
    chunk = b"%x\r\n%s\r\n" % (MIB, b" " * MIB)
    chunks = chunk * (LINE_LIMIT // MIB) + b"1\r\n \r\n"
    assert _raw(site, _head(site, modern, "Transfer-Encoding: chunked") + chunks).startswith(b"HTTP/1.1 413")


def test_the_largest_delivery_fits_and_a_larger_one_is_too_large(site: SecuredSite, folder: Path) -> None:
    client = site.client("laptop")
    client.call("orchestrator_initialize_session", project_dir=str(folder))
    subtask = {"title": "Much", "description": "Write", "specialist_type": "documenter"}
    planned = client.call("orchestrator_plan_task", description="A book", subtasks=[subtask])
    call = {"task_id": planned["subtasks"][0]["task_id"], "summary": "Done", "next_action": "complete"}

    refused = client.call("orchestrator_complete_subtask", **call, detailed_work="a" * (16 * MIB + 1))
    assert refused["code"] == "too_large"
    done = client.call("orchestrator_complete_subtask", **call, detailed_work="a" * 16 * MIB)
    assert done["status"] == "completed"


# 6. With headers that say what the body says


def test_headers_must_match_the_body(site: SecuredSite) -> None:
    call = {**LISTING, "method": "tools/call", "params": {"_meta": MODERN, "name": "trial_echo", "arguments": {}}}
    for changes, body in (
        ({"Mcp-Method": "tools/call"}, LISTING),
        ({"Mcp-Method": None}, LISTING),
        ({"Mcp-Method": "tools/call", "Mcp-Name": "trial_fail"}, call),
        ({"Mcp-Method": "tools/call"}, call),
    ):
        answer = site.knock(changes, body=body)
        assert (answer.status, answer.error_code) == (400, HEADER_MISMATCH)


def test_an_unknown_version_is_rejected_with_the_supported_ones(site: SecuredSite) -> None:
    version = "io.modelcontextprotocol/protocolVersion"
    body = {**LISTING, "params": {"_meta": {**MODERN, version: "2031-01-01"}}}
    answer = site.knock({"MCP-Protocol-Version": "2031-01-01"}, body=body)
    assert (answer.status, answer.error_code) == (400, UNSUPPORTED_VERSION)
    assert "2026-07-28" in answer.json["error"]["data"]["supported"]


def test_a_request_without_a_version_is_rejected(site: SecuredSite) -> None:
    answer = site.knock(body={**LISTING, "params": {}})
    assert (answer.status, answer.error_code) == (400, INVALID_PARAMS)


def test_a_legacy_stream_needs_a_session(site: SecuredSite) -> None:
    assert site.knock(verb="GET", modern=False).status == 400


def test_mcp_has_one_url(site: SecuredSite) -> None:
    for target in ("/mcp/x", "/mcp//", "//mcp", "/sse", "/messages"):
        assert site.knock(target=target).status in (403, 404)


# 9. Tokens are the site's own


def test_no_oauth_metadata_is_offered(site: SecuredSite) -> None:
    for path in ("oauth-protected-resource", "oauth-protected-resource/mcp", "oauth-authorization-server"):
        assert site.knock(verb="GET", target=f"/.well-known/{path}").status == 404


# 23. What is written down


def test_the_log_holds_no_bodies_and_no_injected_lines(site: SecuredSite) -> None:
    forged = "x\r\n2026-01-01 00:00:00,000 CRITICAL forged: by a caller"
    client, older = site.client("laptop"), site.client("laptop", modern=False)
    client.call("trial_echo", text=f"a private matter {forged}")
    for speaker in (client, older):
        assert speaker.request("resources/read", uri="task://none")["error"]
    older.request("tools/call", name=forged, arguments={forged: forged})
    older.request("resources/read", uri=f"task://{forged}")
    older.request("prompts/get", name=forged)
    older.request(forged)
    site.knock({"Mcp-Session-Id": "x\tforged"}, modern=False)
    site.knock({"Origin": "http://forged.example\ta"})
    site.knock(target="/mcp%0d%0aforged:%20by%20a%20caller")
    log = site.errors()
    assert "private matter" not in log
    assert "forged: by a caller" in log
    assert not [line for line in log.splitlines() if line.startswith(("forged:", "2026-01-01 00:00:00,000"))]


def _head(site: SecuredSite, modern: bool, length: str) -> bytes:
    headers = site.client("laptop").headers("tools/list")
    if not modern:
        headers["MCP-Protocol-Version"] = "2025-06-18"
    lines = ["POST /mcp HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items()), length]
    return "\r\n".join([*lines, "", ""]).encode()


def _raw(site: SecuredSite, request: bytes) -> bytes:
    """Send bytes and return the first of the answer."""
    with closing(socket.create_connection(("127.0.0.1", site.port), timeout=DEADLINE_SECONDS)) as connection:
        connection.sendall(request)
        return connection.recv(1000)
