"""Addresses of the pages of the library: those of a project, and for its own templates those of the site."""

from __future__ import annotations

from django.urls import URLPattern, path

from tasks.library.views import apply, contexts, edit, patterns, recurring, templates

_HERE = "projects/<slug:slug>/library/"
_ONE = "templates/<slug:name>/"


def _templates(start: str, prefix: str) -> list[URLPattern]:
    return [
        path(start, templates.library, name=f"{prefix}library"),
        path(f"{start}new-template/", edit.new, name=f"{prefix}template-new"),
        path(f"{start}{_ONE}", templates.template, name=f"{prefix}template"),
        path(f"{start}{_ONE}edit/", edit.edit, name=f"{prefix}template-edit"),
        path(f"{start}{_ONE}delete/", edit.delete, name=f"{prefix}template-delete"),
        path(f"{start}{_ONE}versions/<int:pk>/", templates.version, name=f"{prefix}template-version"),
    ]


urlpatterns = [
    *_templates("library/", "site-"),
    *_templates(_HERE, ""),
    path(f"{_HERE}{_ONE}plan/", apply.apply, name="template-apply"),
    path(f"{_HERE}patterns/", patterns.patterns, name="patterns"),
    path(f"{_HERE}patterns/<str:plan_id>/", patterns.draft, name="pattern-draft"),
    path(f"{_HERE}recurring/", recurring.recurring, name="recurring"),
    path(f"{_HERE}recurring/new/", recurring.new, name="recurring-new"),
    path(f"{_HERE}recurring/<int:recurring_id>/", recurring.edit, name="recurring-edit"),
    path(f"{_HERE}recurring/<int:recurring_id>/<str:verb>/", recurring.act, name="recurring-act"),
    path(f"{_HERE}contexts/", contexts.contexts, name="contexts"),
    path(f"{_HERE}new-context/", contexts.new, name="context-new"),
    path(f"{_HERE}contexts/<str:context_id>/", contexts.context, name="context"),
    path(f"{_HERE}contexts/<str:context_id>/edit/", contexts.edit, name="context-edit"),
    path(f"{_HERE}contexts/<str:context_id>/merge/", contexts.merge, name="context-merge"),
    path(f"{_HERE}contexts/<str:context_id>/act/<str:verb>/", contexts.act, name="context-act"),
    path(f"{_HERE}lessons/<str:lesson_id>/", contexts.lesson, name="lesson"),
]
