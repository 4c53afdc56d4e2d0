"""MCP tools for artifacts."""

from artifacts.tools import deliver as deliver
from artifacts.tools import export as export
from artifacts.tools import search as search
from artifacts.tools import uploads as uploads
