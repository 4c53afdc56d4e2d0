"""Addresses of the pages of artifacts."""

from __future__ import annotations

from django.urls import path

from artifacts.views import artifacts, files, reviews, submit
from artifacts.views.search import search_page

urlpatterns = [
    path("search/", search_page, name="search"),
    path("projects/<slug:slug>/files/", files.folder, name="files"),
    path("projects/<slug:slug>/files/<path:path>/", files.folder, name="folder"),
    path("projects/<slug:slug>/files.zip", files.folder_zip, name="files-zip"),
    path("tasks/<str:public_id>/complete/", submit.complete, name="task-complete"),
    path("tasks/<str:public_id>/artifacts.zip", files.task_zip, name="task-zip"),
    path("reviews/", reviews.inbox, name="reviews"),
    path("tasks/<str:public_id>/review/", reviews.review, name="review"),
    path("artifacts/<str:public_id>/", artifacts.artifact, name="artifact"),
    path("artifacts/<str:public_id>/part/", artifacts.artifact_part, name="artifact-part"),
    path("artifacts/<str:public_id>/raw/", artifacts.artifact_raw, name="artifact-raw"),
    path("artifacts/<str:public_id>/image/", artifacts.artifact_image, name="artifact-image"),
    path("artifacts/<str:public_id>/diff/", artifacts.artifact_diff, name="artifact-diff"),
]
