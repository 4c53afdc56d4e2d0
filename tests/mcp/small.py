"""The product's application with room for two sessions of the older era, which end after a second of silence."""

from orchestrator_site.asgi import site
from orchestrator_site.mcp.http import HttpBridge, caller_of
from orchestrator_site.mcp.mount import mounted
from orchestrator_site.mcp.server import build_server

SESSIONS = 2
application = mounted(site, HttpBridge(build_server(caller_for=caller_of), max_sessions=SESSIONS, idle_seconds=1.0))
