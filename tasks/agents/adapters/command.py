"""Any other program: it gets the brief as a file and on standard input, and delivers a file."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator_site.kernel.errors import Invalid
from tasks.agents.adapters.base import Adapter, Conversation
from tasks.agents.adapters.events import Ended, Event, Reason, Said
from tasks.agents.adapters.jobs import Job, Launch
from tasks.agents.adapters.values import Value, cut

BRIEF = "job/brief.md"
RULES = "job/rules.md"
OUTBOX = "outbox"


class Command(Adapter):
    """`{brief}`, `{rules}`, `{outbox}` and `{worktree}` in its arguments become paths, `{model}` the model's name."""

    name = "command"
    title = "Command"
    version_argv = ()

    def launch(self, job: Job) -> Launch:
        """Raises Invalid where there is nothing to run."""
        self.check(job)
        if not job.argv:
            raise Invalid("There is no command to run.", next="Name the program and its arguments.")
        paths = {"brief": job.run_folder / BRIEF, "rules": job.run_folder / RULES, "outbox": job.run_folder / OUTBOX}
        values = {**paths, "worktree": job.worktree, "model": job.model}
        argv = tuple(_filled(word, {name: str(value) for name, value in values.items()}) for word in job.argv)
        own = {f"ORCHESTRATOR_{name.upper()}": str(path) for name, path in paths.items()}
        files = {paths["brief"]: job.brief, paths["rules"]: job.rules}
        return Launch(argv, job.worktree, self.environment(job, **own), files, False, (job.run_folder / OUTBOX,))

    def conversation(self, job: Job) -> Conversation:
        return CommandConversation(job)


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


class CommandConversation(Conversation):
    title = Command.title

    def opening(self) -> list[bytes]:
        return [self.job.brief.encode()]

    def feed(self, line: bytes) -> list[Event]:
        text = cut(line.decode(errors="replace").rstrip("\r\n"))
        return [Said(text)] if text.strip() else []

    def _read(self, message: Value) -> Iterator[Event]:
        return iter(())

    def _without_end(self, exit_code: int | None, stderr: str) -> Ended:
        """Its exit code is all that it says about its end."""
        return Ended(True, Reason.DONE) if exit_code == 0 else super()._without_end(exit_code, stderr)
