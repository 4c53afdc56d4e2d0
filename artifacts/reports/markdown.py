"""The synthesis of a plan as Markdown, with a limit on its length."""

from __future__ import annotations

from artifacts.reports.synthesis import Part, Synthesis, headline
from orchestrator_site.kernel.text import one_line, quoted, shortened
from tasks.choices import Status

BRIEF_CHARS = 8_000
FULL_CHARS = 100_000
FILE_CHARS = 50_000_000
_BRIEF_SUMMARY = 300
_MARKS = {Status.COMPLETED: "✓", Status.CANCELLED: "✗"}


def report(synthesis: Synthesis, *, full: bool = False, most: int | None = None) -> tuple[str, int]:
    """Return the report and how many parts did not fit into `most` characters."""
    text = [f"# {one_line(synthesis.plan.title)}\n\n{headline(synthesis)}\n"]
    budget = (most or (FULL_CHARS if full else BRIEF_CHARS)) - len(text[0])
    for number, part in enumerate(synthesis.parts):
        section = _section(part, full)
        if len(section) > budget:
            return "".join(text), len(synthesis.parts) - number
        text.append(section)
        budget -= len(section)
    return "".join(text), 0


def whole(synthesis: Synthesis) -> str:
    text, left_out = report(synthesis, full=True, most=FILE_CHARS)
    return f"{text}\n{left_out:,} more parts did not fit into this file.\n" if left_out else text


def _section(part: Part, full: bool) -> str:
    task = part.task
    state = f"{task.specialist}, {task.status}" if task.specialist else task.status
    why = task.review_comment if task.status == Status.NEEDS_REVISION else task.reason
    mark = _MARKS.get(Status(task.status), "…")
    lines = [f"\n## {mark} {one_line(task.title)}", f"{task.public_id}, {state}"]
    if why and task.status != Status.COMPLETED:
        lines += ["Reason:", quoted(shortened(why, _BRIEF_SUMMARY))]
    if task.summary:
        lines += ["", quoted(task.summary if full else shortened(task.summary, _BRIEF_SUMMARY))]
    for gate in part.gates:
        how = gate.met_by if gate.met else f"not met: {gate.why_not}"
        lines.append(f"- gate {gate.gate.name}: {one_line(shortened(how, _BRIEF_SUMMARY))}")
    for work in part.artifacts:
        paths = f", {', '.join(map(one_line, work.paths[:5]))}" if work.paths else ""
        lines.append(f"- {work.artifact_id}: {work.kind}, {work.size}{paths}")
    return "\n".join(lines) + "\n"
