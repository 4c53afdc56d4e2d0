"""OpenCode, by the Agent Client Protocol."""

from __future__ import annotations

import json
from typing import Any

from tasks.agents.adapters.acp import AcpConversation
from tasks.agents.adapters.base import Adapter, Conversation, Supports, Tested
from tasks.agents.adapters.jobs import Job, Launch, Rights


class OpenCode(Adapter):
    name = "opencode"
    title = "OpenCode"
    executables = ("opencode",)
    tested = Tested("1.18.33", "1.18.33")
    supports = Supports(messages=True, interrupt=True, asks=True, board=True, cost=True, context=True)
    memory_mb = 770
    needs_jail = True  # it loads the repository's .opencode/plugin, whatever its settings say
    secrets = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY")
    login_files = (".local/share/opencode/auth.json",)

    def launch(self, job: Job) -> Launch:
        self.check(job)
        argv = (job.executable, "acp", "--pure", "--cwd", str(job.worktree))
        own = {"OPENCODE_DISABLE_PROJECT_CONFIG": "1", "OPENCODE_CONFIG_CONTENT": json.dumps(_config(job))}
        return Launch(argv, job.worktree, self.environment(job, **own), {}, stdin_stays_open=True)

    def conversation(self, job: Job) -> Conversation:
        return AcpConversation(job, self.title, counts=False)  # it counts the last answer alone


def _config(job: Job) -> dict[str, Any]:
    rest = "allow" if job.rights is Rights.BYPASS else "ask"
    bash = {"*": rest, **{f"{command} *": "allow" for command in job.commands}, **dict.fromkeys(job.commands, "allow")}
    permission = {"edit": "allow", "bash": bash, "webfetch": rest, "external_directory": rest, "doom_loop": rest}
    model = {"model": job.model} if job.model else {}
    return {"autoupdate": False, "share": "disabled", "permission": permission, **model}
