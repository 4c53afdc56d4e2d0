"""The product's application with little patience: for two sessions of the older era that are silent for a second."""

from orchestrator_site.application import site
from orchestrator_site.mcp.http import HttpBridge, caller_of
from orchestrator_site.mcp.server import build_server
from orchestrator_site.mount import mounted

SESSIONS = 2
bridge = build_server(caller_for=caller_of)
application = mounted(site, HttpBridge(bridge, max_sessions=SESSIONS, idle_seconds=1.0, stream_check_seconds=0.1))
