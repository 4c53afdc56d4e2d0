"""No client reaches anything but this machine, and none could want to without our knowing."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

from tests.clients.network import Network
from tests.clients.stage import Stage

# An address for documentation: nothing answers there, and without a way out the system says so at once.
REACH = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=5)"
ASK = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1])
connection.request("CONNECT", "updates.example:443")
print(connection.getresponse().status)
"""


def test_a_sealed_network_has_no_way_out(network: Network) -> None:
    ran = subprocess.run([*network.words, sys.executable, "-c", REACH], capture_output=True, text=True)
    assert ran.returncode != 0
    assert not network.words or "Network is unreachable" in ran.stderr


def test_an_address_that_a_client_asks_for_is_written_down(stage: Stage) -> None:
    ran = stage.run(sys.executable, "-c", ASK, urlsplit(stage.model).netloc)
    assert ran.out == "404\n", ran.err
    assert stage.requests == [{"path": "updates.example:443", "method": "CONNECT", "refused": True}]
