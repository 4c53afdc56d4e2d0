"""Copilot CLI, by the Agent Client Protocol."""

from __future__ import annotations

from tasks.agents.adapters.acp import AcpConversation
from tasks.agents.adapters.base import Adapter, Conversation, Supports, Tested
from tasks.agents.adapters.jobs import BOARD, Job, Launch, Rights


class CopilotCli(Adapter):
    name = "copilot"
    title = "Copilot CLI"
    executables = ("copilot",)
    tested = Tested("1.0.102", "1.0.102")
    supports = Supports(resume=True, messages=True, interrupt=True, asks=True, context=True, board=True)
    memory_mb = 330
    needs_jail = True  # it runs the repository's .github/hooks, whatever its settings say
    secrets = ("COPILOT_GITHUB_TOKEN", "COPILOT_PROVIDER_API_KEY", "COPILOT_PROVIDER_BEARER_TOKEN")
    passed_on = ("COPILOT_PROVIDER_BASE_URL", "COPILOT_PROVIDER_TYPE", "COPILOT_MODEL", "COPILOT_OFFLINE")

    def launch(self, job: Job) -> Launch:
        self.check(job)
        allowed = (BOARD, "write", *(f"shell({command}:*)" for command in job.commands))
        argv = (
            *(job.executable, "--acp", "--disable-builtin-mcps", "--no-custom-instructions", "--no-ask-user"),
            *("--no-auto-update", "--no-remote-export", "--disable-client-telemetry"),
            f"--secret-env-vars={','.join(self.secrets)}",
            *(("--allow-all",) if job.rights is Rights.BYPASS else (f"--allow-tool={tool}" for tool in allowed)),
            *((f"--model={job.model}",) if job.model else ()),
        )
        environment = self.environment(job, COPILOT_HOME=str(job.home / ".copilot"))
        return Launch(argv, job.worktree, environment, {}, stdin_stays_open=True)

    def conversation(self, job: Job) -> Conversation:
        return AcpConversation(job, self.title)
