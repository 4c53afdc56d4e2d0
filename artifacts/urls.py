"""Addresses of the pages of artifacts."""

from __future__ import annotations

from django.urls import path

from artifacts import file_views, views, work_views
from artifacts.reviews import views as review_views
from artifacts.search.views import search_page

urlpatterns = [
    path("search/", search_page, name="search"),
    path("projects/<slug:slug>/files/", file_views.folder, name="files"),
    path("projects/<slug:slug>/files/<path:path>/", file_views.folder, name="folder"),
    path("projects/<slug:slug>/files.zip", file_views.folder_zip, name="files-zip"),
    path("tasks/<str:public_id>/complete/", work_views.complete, name="task-complete"),
    path("tasks/<str:public_id>/artifacts.zip", file_views.task_zip, name="task-zip"),
    path("reviews/", review_views.reviews, name="reviews"),
    path("tasks/<str:public_id>/review/", review_views.review, name="review"),
    path("artifacts/<str:public_id>/", views.artifact, name="artifact"),
    path("artifacts/<str:public_id>/part/", views.artifact_part, name="artifact-part"),
    path("artifacts/<str:public_id>/raw/", views.artifact_raw, name="artifact-raw"),
    path("artifacts/<str:public_id>/image/", views.artifact_image, name="artifact-image"),
    path("artifacts/<str:public_id>/diff/", views.artifact_diff, name="artifact-diff"),
]
