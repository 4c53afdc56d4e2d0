"""URLs of the health checks."""

from django.urls import path

from maintenance.health.views import healthz, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
