"""What routing has learned, what it suggested and what was chosen, and the daily figures of a project."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks.insights.choices import Dimension, Kind, Method, Name, Outcome
from tasks.insights.routing.predict import Prediction
from tasks.models import Project, Session, Task


class Lesson(models.Model):
    """What a planned task taught: its specialist and how often each word was counted, so that it can be unlearned.

    It outlives a task that is purged until that is learned.
    """

    task = models.OneToOneField(
        Task, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    specialist = models.CharField(max_length=64)
    words = models.JSONField(default=dict)

    class Meta:
        ordering = ["task_id"]  # by `task`, the rows of tasks would be joined

    def __str__(self) -> str:
        return f"{self.task_id}: {self.specialist}"


class SpecialistCount(models.Model):
    """How many lessons of a project have a specialist, and how many words those have."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    specialist = models.CharField(max_length=64)
    tasks = models.PositiveIntegerField(default=0)
    words = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["specialist"]
        constraints = [
            models.UniqueConstraint(fields=["project", "specialist"], name="specialist_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.specialist}: {self.tasks}"


class WordCount(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    word = models.CharField(max_length=80)
    specialist = models.CharField(max_length=64)
    count = models.PositiveIntegerField(default=0)
    newest = models.PositiveBigIntegerField(
        default=0, help_text="The key of the task that taught it last, which may be gone."
    )

    class Meta:
        ordering = ["word", "specialist"]
        constraints = [
            models.UniqueConstraint(fields=["project", "word", "specialist"], name="word_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.word} of {self.specialist}: {self.count}"


class Score(models.Model):
    """How predictions made before learning turned out, by method and tenth of confidence.

    `second`: right with the second of two. `unsure` ones are scored here too, as what they would have said.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    method = models.CharField(max_length=16, choices=Method.choices)
    tenth = models.PositiveSmallIntegerField(help_text="0 for a confidence below .1, 9 for .9 and more.")
    n = models.PositiveIntegerField(default=0)
    right = models.PositiveIntegerField(default=0)
    second = models.PositiveIntegerField(default=0)
    unsure = models.PositiveIntegerField(default=0)
    unsure_right = models.PositiveIntegerField(default=0)
    confidence = models.FloatField(default=0, help_text="The sum of all confidences.")

    class Meta:
        ordering = ["method", "tenth"]
        constraints = [
            models.UniqueConstraint(fields=["project", "method", "tenth"], name="score_once"),
            models.CheckConstraint(condition=Q(method__in=Method.values), name="score_method_is_known"),
            models.CheckConstraint(condition=Q(tenth__lte=9), name="score_tenth_is_one"),
        ]

    def __str__(self) -> str:
        return f"{self.method}: {self.right} of {self.n}"

    def add(self, prediction: Prediction, specialist: str) -> None:
        is_right = prediction.names(specialist)
        self.n += 1
        self.right += is_right
        self.second += prediction.names_second(specialist)
        self.unsure += prediction.is_unsure
        self.unsure_right += prediction.is_unsure and is_right
        self.confidence += prediction.confidence


class Reader(models.Model):
    """Up to which event routing has learned in a project. Whoever changes the counts takes the next version first."""

    project = models.OneToOneField(Project, primary_key=True, on_delete=models.CASCADE, related_name="+")
    cursor = models.PositiveBigIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.project_id} at {self.cursor}"


class Suggestion(models.Model):
    """An answer that was shown, why, and what was chosen then."""

    public_id = models.CharField(max_length=40, unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    task = models.ForeignKey(Task, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    input_sha256 = models.CharField(max_length=64)
    answer = models.JSONField(default=list, help_text="What was suggested, best first.")
    factors = models.JSONField(default=list, help_text="Why, as it was shown.")
    confidence = models.FloatField(null=True, blank=True)
    is_unsure = models.BooleanField(default=False)
    after_event = models.PositiveBigIntegerField(
        default=0, help_text="The newest event when it was shown: a choice counts where its event is newer."
    )
    chosen = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.OPEN)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "-id"], name="suggestion_by_project"),
            models.Index(fields=["project", "kind", "input_sha256"], name="suggestion_by_input"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="suggestion_kind_is_known"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="suggestion_outcome_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.kind}"


class Figure(models.Model):
    """A figure of the window of days that ends with `day`, in the time zone of the project.

    `key` names what it is about: a plan's id, a specialist, a client; empty for the whole project. `until` is the last
    event that it counts.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    days = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=32, choices=Name.choices)
    dimension = models.CharField(max_length=16, choices=Dimension.choices)
    key = models.CharField(max_length=200, blank=True)
    n = models.PositiveIntegerField()
    value = models.FloatField()
    high = models.FloatField(null=True, blank=True)
    until = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["-day", "name", "dimension", "key"]
        constraints = [
            models.UniqueConstraint(fields=["project", "day", "dimension", "name", "key"], name="figure_once"),
            models.CheckConstraint(condition=Q(name__in=Name.values), name="figure_name_is_known"),
            models.CheckConstraint(condition=Q(dimension__in=Dimension.values), name="figure_dimension_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.key or 'the project'} on {self.day}"
