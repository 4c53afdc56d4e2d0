"""Representations of runs, their attempts and asks, forecasts, merges, costs and sweeps.

Runs are shaped by `tasks/agents/serializers.py`; their fields stand here for the OpenAPI document.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.agents.choices import AskState, Communication, RunState, Workspace
from tasks.agents.models import Attempt, Run, RunAsk
from tasks.agents.serializers import ASK, ATTEMPT, RUN, ask_row, attempt_row, run_row, run_shape
from tasks.agents.worktrees import Mode


class RunRow(serializers.ModelSerializer[Run]):
    """A run in a list; costs in USD, memory in bytes."""

    run_id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.slug")
    task_id = serializers.CharField(source="task.public_id")
    plan = serializers.CharField(source="plan.public_id")
    state = serializers.ChoiceField(RunState.choices)
    workspace = serializers.ChoiceField(Workspace.choices)
    communication = serializers.ChoiceField(Communication.choices)
    stop = serializers.ChoiceField([("", ""), *RunState.choices])
    cost_usd = serializers.FloatField()

    class Meta:
        model = Run
        fields: tuple[str, ...] = ("run_id", "project", "task_id", "plan", *RUN)

    def to_representation(self, instance: Run) -> dict[str, Any]:
        return run_row(instance)


class LimitsShape(serializers.Serializer[Any]):
    """What ends a run."""

    minutes = serializers.IntegerField()
    idle_minutes = serializers.IntegerField()
    turns = serializers.IntegerField()
    cost_usd = serializers.FloatField()


class ChangedShape(serializers.Serializer[Any]):
    """A file that differs from the base, with its bytes now."""

    path = serializers.CharField()
    change = serializers.CharField()
    bytes = serializers.IntegerField()


class LinkShape(serializers.Serializer[Any]):
    """A symbolic link that was added or changed; `leaves`: it leads out of the tree."""

    path = serializers.CharField()
    target = serializers.CharField()
    leaves = serializers.BooleanField()


class ChangesShape(serializers.Serializer[Any]):
    """What the collected work changes: the first files, and how many there are. `left_out` is in no commit."""

    files = ChangedShape(many=True)
    files_total = serializers.IntegerField()
    bytes = serializers.IntegerField()
    symlinks = LinkShape(many=True)
    gitlinks = serializers.ListField(child=serializers.CharField())
    left_out = serializers.ListField(child=serializers.CharField())
    tampered = serializers.ListField(child=serializers.CharField())


class AttemptShape(serializers.ModelSerializer[Attempt]):
    """One process of the agent; `agent_session` is the agent's own."""

    agent_session = serializers.CharField(source="session_id")

    class Meta:
        model = Attempt
        fields = (*ATTEMPT, "agent_session")

    def to_representation(self, instance: Attempt) -> dict[str, Any]:
        return attempt_row(instance)


class AskShape(serializers.ModelSerializer[RunAsk]):
    """What an agent asks a person to allow."""

    ask = serializers.IntegerField(source="pk")
    state = serializers.ChoiceField(AskState.choices)

    class Meta:
        model = RunAsk
        fields = ("ask", *ASK)

    def to_representation(self, instance: RunAsk) -> dict[str, Any]:
        return ask_row(instance)


class RunShape(RunRow):
    """A run with its limits, its attempts, its asks, and what it changed."""

    limits = LimitsShape()
    is_jailed = serializers.BooleanField()
    takes_messages = serializers.BooleanField()
    changes = ChangesShape()
    attempts = AttemptShape(many=True)
    asks = AskShape(many=True)
    messages_waiting = serializers.IntegerField()

    class Meta(RunRow.Meta):
        fields = (
            *RunRow.Meta.fields, "limits", "is_jailed", "takes_messages", "changes", "attempts", "asks",
            "messages_waiting",
        )  # fmt: skip

    def to_representation(self, instance: Run) -> dict[str, Any]:
        return run_shape(instance)


class StartedAnswer(serializers.Serializer[Any]):
    """The runs that were queued."""

    results = RunRow(many=True)


class LogAnswer(serializers.Serializer[Any]):
    """Entries of a log, each with `at`, `kind` and what the kind has. `cursor` is where to go on, `next` the URL."""

    results = serializers.ListField(child=serializers.DictField())
    cursor = serializers.IntegerField()
    next = serializers.CharField()
    at_end = serializers.BooleanField()
    is_live = serializers.BooleanField()


class DiffAnswer(serializers.Serializer[Any]):
    """The unified diff of the collected work, for reading: the patch is complete."""

    run_id = serializers.CharField()
    base_commit = serializers.CharField()
    head_commit = serializers.CharField()
    diff = serializers.CharField()


class MergedAnswer(serializers.Serializer[Any]):
    """What a merge came to, or would: `commit` is null where paths conflict and for a dry run."""

    run_id = serializers.CharField()
    mode = serializers.ChoiceField([(mode.value, mode.value) for mode in Mode])
    target = serializers.CharField()
    target_before = serializers.CharField()
    commit = serializers.CharField(allow_null=True)
    conflicts = serializers.ListField(child=serializers.CharField())
    files_total = serializers.IntegerField()
    patch = serializers.CharField(allow_null=True, help_text="For the mode `patch`: its URL.")


class ClashShape(serializers.Serializer[Any]):
    """Two runs, or a run and the target, whose changes conflict."""

    left = serializers.CharField()
    right = serializers.CharField()
    paths = serializers.ListField(child=serializers.CharField())


class ForecastAnswer(serializers.Serializer[Any]):
    """Which pairs conflict; `behind`: how many commits of the target each run lacks. Empty where none has changes."""

    target = serializers.CharField()
    target_commit = serializers.CharField()
    clashes = ClashShape(many=True)
    behind = serializers.DictField(child=serializers.IntegerField())


class TotalsShape(serializers.Serializer[Any]):
    """What some runs used together; `context_peak` is the largest of them."""

    runs = serializers.IntegerField()
    turns = serializers.IntegerField()
    tokens_in = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    tokens_cached = serializers.IntegerField()
    context_peak = serializers.IntegerField()
    compactions = serializers.IntegerField()
    cost_usd = serializers.FloatField()


class PlanTotals(TotalsShape):
    """What the runs of a plan used."""

    plan = serializers.CharField(source="plan__public_id")
    title = serializers.CharField(source="plan__title")


class CostsAnswer(serializers.Serializer[Any]):
    """What the runs of a project used, and those of the plans that cost most."""

    total = TotalsShape()
    plans = PlanTotals(many=True)


class SweptRow(serializers.Serializer[Any]):
    """A worktree that a sweep removes; its branch stays."""

    run_id = serializers.CharField()
    bytes = serializers.IntegerField()
    changed_at = serializers.DateTimeField()


class SweepPreview(serializers.Serializer[Any]):
    """What a sweep would remove now."""

    results = SweptRow(many=True)
    bytes = serializers.IntegerField()


class SweepAnswer(serializers.Serializer[Any]):
    """How many worktrees were removed, and how many could not be."""

    removed = serializers.IntegerField()
    kept = serializers.IntegerField()
