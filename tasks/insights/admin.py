"""Read-only pages of what routing learned and suggested, and of the daily figures."""

from __future__ import annotations

from django.contrib import admin

from orchestrator_site.web.admin import ReadOnlyAdmin
from tasks.insights.models import Figure, Lesson, Reader, Score, SpecialistCount, Suggestion, WordCount


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "project", "kind", "confidence", "is_unsure", "chosen", "outcome", "created_at")
    list_filter = ("kind", "outcome")
    list_select_related = ("project",)
    search_fields = ("public_id", "task__public_id")


@admin.register(Figure)
class FigureAdmin(ReadOnlyAdmin):
    list_display = ("name", "project", "day", "dimension", "key", "n", "value", "high")
    list_filter = ("dimension", "name")
    list_select_related = ("project",)
    search_fields = ("key",)


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin):
    list_display = ("method", "project", "tenth", "n", "right", "second", "unsure")
    list_select_related = ("project",)


@admin.register(Lesson)
class LessonAdmin(ReadOnlyAdmin):
    list_display = ("task", "project", "specialist")
    list_select_related = ("task", "project")
    search_fields = ("task__public_id", "specialist")


@admin.register(SpecialistCount)
class SpecialistCountAdmin(ReadOnlyAdmin):
    list_display = ("specialist", "project", "tasks", "words")
    list_select_related = ("project",)


@admin.register(WordCount)
class WordCountAdmin(ReadOnlyAdmin):
    list_display = ("word", "specialist", "project", "count")
    list_select_related = ("project",)
    search_fields = ("word",)


@admin.register(Reader)
class ReaderAdmin(ReadOnlyAdmin):
    list_display = ("project", "cursor")
    list_select_related = ("project",)
